//! What a caregiver's app tells and hears besides yes and no.

use tests::{
    anhu::{Anhu, folder, in_tree, next_notice},
    mosquitto, world,
};
use tonic::Code;
use wire::v1::{self, watch_offers_response::Change};

fn press(anhu: &Anhu) {
    let sent = mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", br#"{"kind":"sos"}"#, &[]);
    assert!(sent.status.success(), "{sent:?}");
}

#[tokio::test]
async fn an_app_says_that_it_has_an_offer_and_that_it_was_seen() {
    let anhu = Anhu::start().await;
    let world = world::build(&anhu, &["wrist-1"], 2).await;
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    press(&anhu);
    let Change::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    let mut apps = anhu.responders().await;
    let known = |responder: &str, state: v1::OfferState| v1::AcknowledgeOfferRequest {
        responder: responder.to_owned(),
        offer_id: offer.offer_id,
        state: state.into(),
    };
    let mine = world.responders[0].as_str();
    for state in [v1::OfferState::Delivered, v1::OfferState::Seen] {
        apps.acknowledge_offer(known(mine, state)).await.expect("noted");
        let shown = anhu.incident(&offer.incident).await;
        let shown = shown.offers.iter().find(|one| one.offer_id == offer.offer_id).expect("the offer");
        assert_eq!(shown.state(), state);
    }
    apps.acknowledge_offer(known(mine, v1::OfferState::Delivered)).await.expect("late news changes nothing");
    let refused = apps.acknowledge_offer(known(mine, v1::OfferState::Accepted)).await.expect_err("not so");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let other = apps.acknowledge_offer(known(&world.responders[1], v1::OfferState::Seen)).await;
    assert_eq!(other.expect_err("somebody else's").code(), Code::NotFound);
    let shown = anhu.incident(&offer.incident).await;
    assert_eq!(shown.offers.iter().filter(|one| one.state() == v1::OfferState::Seen).count(), 1);
}

#[tokio::test]
async fn who_accepted_and_does_not_set_out_is_asked_whether_they_come() {
    let folder = folder();
    let policy = std::fs::read_to_string(in_tree("config/policy.toml")).expect("the policy");
    let hasty = policy.replace("not_moving_after_s = 120", "not_moving_after_s = 1");
    assert_ne!(hasty, policy);
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, hasty).expect("a policy");
    let anhu = Anhu::start_with(&format!("policy_file = {:?}", file.display()), folder).await;
    let world = world::build(&anhu, &["wrist-1"], 1).await;
    let mut app = anhu.watch_offers(&world.responders[0]).await;
    press(&anhu);
    let Change::Offer(offer) = next_notice(&mut app).await else { panic!("an offer comes first") };
    let accept = v1::AcceptOfferRequest { responder: world.responders[0].clone(), offer_id: offer.offer_id };
    anhu.responders().await.accept_offer(accept).await.expect("accepted");
    let reminder = loop {
        if let Change::Reminder(reminder) = next_notice(&mut app).await {
            break reminder;
        }
    };
    assert_eq!(reminder.doubt(), v1::Doubt::NotMoving);
    assert_eq!(reminder.assignment.expect("of what").incident, offer.incident);
    let doubted = anhu.incident(&offer.incident).await;
    assert_eq!(doubted.assignments[0].doubt(), v1::Doubt::NotMoving);
    let step = v1::UpdateAssignmentRequest {
        responder: world.responders[0].clone(),
        incident: offer.incident.clone(),
        state: v1::AssignmentState::EnRoute.into(),
        reason: String::new(),
    };
    anhu.responders().await.update_assignment(step).await.expect("on the way");
    assert_eq!(anhu.incident(&offer.incident).await.assignments[0].doubt(), v1::Doubt::Unspecified);
}
