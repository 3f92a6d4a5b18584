//! The phone rings: is the elder found by what the caller says, also right after the import and after a restart?

use std::{fs, process::Command};

use tests::anhu::{Anhu, binary};
use wire::v1;

const CENSUS: &str = "external_id,name,org_unit,phone,address\n\
    XH-1,陈桂英,999901,138 1111 2222,永福东路 12 号\n\
    XH-2,单雄信,999901,13811113333,陈家巷 3 号\n\
    XH-3,吕秀莲,999901,,永福西路 7 号\n";

fn import(anhu: &Anhu, kind: &str, text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.csv");
    fs::write(&file, text).expect("written");
    let mut import = Command::new(binary());
    let done = import.args(["import", kind]).arg(&file).args(["--server", &anhu.http]).output();
    let done = done.expect("anhu runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

async fn found(anhu: &Anhu, query: &str) -> Vec<String> {
    let request = v1::SearchEldersRequest { query: query.to_owned(), ..Default::default() };
    let page = anhu.registry().await.search_elders(request).await.expect("a page").into_inner();
    page.elders.into_iter().map(|elder| elder.external_id).collect()
}

async fn everybody_is_found(anhu: &Anhu) {
    for (query, wanted) in [
        ("桂英", vec!["XH-1"]),
        ("lvxiulian", vec!["XH-3"]),
        ("sxx", vec!["XH-2"]),
        ("138 1111 2222", vec!["XH-1"]),
        ("xh-3", vec!["XH-3"]),
        ("永福", vec!["XH-1", "XH-3"]),
        ("陈", vec!["XH-1", "XH-2"]),
        ("wrist-9", vec!["XH-2"]),
        ("王", vec![]),
    ] {
        assert_eq!(found(anhu, query).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn an_elder_is_found_by_what_the_caller_says() {
    let folder = std::sync::Arc::new(tempfile::tempdir().expect("a folder"));
    let mut anhu = Anhu::start_with("", std::sync::Arc::clone(&folder)).await;
    import(&anhu, "org_units", "code,name\n999901,County\n");
    import(&anhu, "elders", CENSUS);
    import(&anhu, "devices", "device,elder\nwrist-9,XH-2\n");
    everybody_is_found(&anhu).await;
    anhu.kill();
    let anhu = Anhu::start_with("", folder).await;
    everybody_is_found(&anhu).await;
}

#[tokio::test]
async fn pages_of_what_is_found_follow_one_another_and_end() {
    let anhu = Anhu::start().await;
    import(&anhu, "org_units", "code,name\n999901,County\n");
    let mut census = "external_id,name,org_unit\n".to_owned();
    for number in 0..25 {
        census += &format!("W-{number},王秀英{number},999901\n");
    }
    import(&anhu, "elders", &census);
    let (mut all, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let request = v1::SearchEldersRequest { query: "wxy".to_owned(), page_size: 10, page_token };
        let page = anhu.registry().await.search_elders(request).await.expect("a page").into_inner();
        all.extend(page.elders.into_iter().map(|elder| elder.name));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    all.sort();
    all.dedup();
    assert_eq!((pages, all.len()), (3, 25));
    let request = v1::SearchEldersRequest { page_token: "x".to_owned(), ..Default::default() };
    let refused = anhu.registry().await.search_elders(request).await.expect_err("no page");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let request = v1::SearchEldersRequest { query: "王".repeat(101), ..Default::default() };
    let refused = anhu.registry().await.search_elders(request).await.expect_err("too long");
    assert!(refused.message().contains("100 characters"), "{refused}");
}
