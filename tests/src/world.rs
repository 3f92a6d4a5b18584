//! A small county: one elder with devices, and helpers near by.

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

/// Puts a responder on or off duty.
///
/// # Panics
/// When the server refuses.
pub async fn set_duty(anhu: &Anhu, responder: &str, duty: v1::Duty) {
    let request = v1::SetDutyRequest { responder: responder.to_owned(), duty: duty.into() };
    anhu.responders().await.set_duty(request).await.expect("a duty");
}
