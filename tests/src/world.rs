//! A small county: one elder with devices, and helpers near by.

use tokio_stream::StreamExt as _;
use wire::v1;

use crate::anhu::Anhu;

/// The county's division code.
pub const COUNTY: &str = "999901";
/// Where the elder lives, in degrees of WGS-84.
pub const HOME: (f64, f64) = (32.700_000, 119.000_000);

/// A place in WGS-84.
#[must_use]
pub fn place(latitude: f64, longitude: f64) -> v1::Place {
    v1::Place { latitude, longitude, system: v1::CoordinateSystem::Wgs84.into() }
}

/// What there is in the county.
#[derive(Debug, Clone)]
pub struct World {
    /// `elders/0`.
    pub elder: String,
    /// `responders/0` …, the first is the nearest.
    pub responders: Vec<String>,
}

/// Enters a county, an elder who lives at [`HOME`] with these devices, and `helpers` responders on duty, each 500 m
/// further away than the one before.
///
/// # Panics
/// When the server refuses.
pub async fn build(anhu: &Anhu, devices: &[&str], helpers: usize) -> World {
    let mut registry = anhu.registry().await;
    let unit = v1::OrgUnit { code: COUNTY.to_owned(), display_name: "示范县".to_owned() };
    let request = v1::CreateOrgUnitRequest { org_unit: Some(unit) };
    registry.create_org_unit(request).await.expect("a county");
    let elder = v1::Elder {
        external_id: "E-1".to_owned(),
        display_name: "王桂英".to_owned(),
        birth_date: "1940-05-01".to_owned(),
        phone: "0550-7000001".to_owned(),
        address: "幸福路 1 号 2 单元 301".to_owned(),
        place: Some(place(HOME.0, HOME.1)),
        org_unit: COUNTY.to_owned(),
        medical_notes: "高血压".to_owned(),
        ..v1::Elder::default()
    };
    let created = registry.create_elder(v1::CreateElderRequest { elder: Some(elder) }).await;
    let elder = created.expect("an elder").into_inner().elder.expect("an elder").name;
    for device in devices {
        let record = v1::Device {
            device_id: (*device).to_owned(),
            org_unit: COUNTY.to_owned(),
            ..v1::Device::default()
        };
        let created = registry.create_device(v1::CreateDeviceRequest { device: Some(record) }).await;
        let device = created.expect("a device").into_inner().device.expect("a device").name;
        let request = v1::BindDeviceRequest { device, elder: elder.clone(), from: None };
        registry.bind_device(request).await.expect("a binding");
    }
    let mut responders = Vec::new();
    for helper in 0..helpers {
        let responder = v1::Responder {
            external_id: format!("R-{helper}"),
            display_name: format!("护理员{helper}"),
            org_unit: COUNTY.to_owned(),
            base: Some(place(HOME.0 + 0.0045 * (helper + 1) as f64, HOME.1)),
            ..v1::Responder::default()
        };
        let created =
            registry.create_responder(v1::CreateResponderRequest { responder: Some(responder) }).await;
        let name = created.expect("a responder").into_inner().responder.expect("a responder").name;
        set_duty(anhu, &name, v1::Duty::OnDuty).await;
        responders.push(name);
    }
    World { elder, responders }
}

/// Enters an elder for each of these devices, who lives where it says, in degrees.
///
/// # Panics
/// When the server refuses.
pub async fn settle(anhu: &Anhu, homes: impl Iterator<Item = (String, (f64, f64))>) {
    let mut elders = "external_id,name,org_unit,latitude,longitude\n".to_owned();
    let mut owned = "device,org_unit,elder\n".to_owned();
    for (device, (latitude, longitude)) in homes {
        elders.push_str(&format!("E-{device},老人{device},{COUNTY},{latitude:.4},{longitude:.4}\n"));
        owned.push_str(&format!("{device},{COUNTY},E-{device}\n"));
    }
    import(anhu, v1::ImportKind::Elders, elders).await;
    import(anhu, v1::ImportKind::Devices, owned).await;
}

/// Enters so many helpers more than the `there` whom there are, on duty, all within a kilometre of [`HOME`].
///
/// # Panics
/// When the server refuses.
pub async fn staff(anhu: &Anhu, there: usize, more: usize) {
    let mut helpers = "external_id,name,org_unit,latitude,longitude\n".to_owned();
    for helper in 0..more {
        let north = HOME.0 + 0.009 * helper as f64 / more as f64;
        helpers.push_str(&format!("S-{helper},护理员{helper},{COUNTY},{north:.5},{}\n", HOME.1));
    }
    import(anhu, v1::ImportKind::Responders, helpers).await;
    for helper in there..there + more {
        set_duty(anhu, &format!("responders/{helper}"), v1::Duty::OnDuty).await;
    }
}

async fn import(anhu: &Anhu, kind: v1::ImportKind, csv: String) {
    let file_bytes = csv.len() as u64;
    let chunks = csv.into_bytes().chunks(1 << 20).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let requests = chunks.into_iter().map(move |chunk| v1::ImportRecordsRequest {
        kind: kind.into(),
        chunk,
        file_bytes,
        ..Default::default()
    });
    let answer = anhu.registry().await.import_records(tokio_stream::iter(requests)).await;
    let mut steps = answer.expect("an import").into_inner();
    while let Some(step) = steps.next().await {
        step.expect("every row is accepted");
    }
}

/// Puts a responder on or off duty.
///
/// # Panics
/// When the server refuses.
pub async fn set_duty(anhu: &Anhu, responder: &str, duty: v1::Duty) {
    let request = v1::SetDutyRequest { responder: responder.to_owned(), duty: duty.into() };
    anhu.responders().await.set_duty(request).await.expect("a duty");
}
