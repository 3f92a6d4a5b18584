//! Two counties on one server, for who must not meet the other.

use std::{collections::BTreeMap, sync::Arc};

use wire::v1;

use crate::{anhu::Anhu, caller::Caller, world::place};

/// Two counties with the same in each: an elder with a device, a provider with somebody who can be sent, an emergency.
#[derive(Debug)]
pub struct Counties {
    /// The server, which lets nobody in who shows nothing.
    pub anhu: Anhu,
    /// By county: elder, device, responder, incident.
    pub names: BTreeMap<&'static str, [String; 4]>,
}

/// A county.
pub const OURS: &str = "341181";
/// Another one.
pub const THEIRS: &str = "341182";

impl Counties {
    /// Starts a server and enters all.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn build() -> Self {
        let anhu = Anhu::start_closed("", Arc::new(tempfile::tempdir().expect("a folder"))).await;
        let host = Caller::host(&anhu).await;
        let mut registry = host.registry();
        let mut names = BTreeMap::new();
        for (number, code) in [OURS, THEIRS].into_iter().enumerate() {
            let unit = v1::OrgUnit { code: code.to_owned(), display_name: code.to_owned() };
            let request = v1::CreateOrgUnitRequest { org_unit: Some(unit) };
            registry.create_org_unit(request).await.expect("a county");
            let provider = v1::Provider {
                display_name: format!("Provider {code}"),
                org_unit: code.to_owned(),
                ..Default::default()
            };
            let request = v1::CreateProviderRequest { provider: Some(provider) };
            let provider = registry.create_provider(request).await.expect("a provider").into_inner();
            let responder = v1::Responder {
                display_name: format!("Helper {code}"),
                org_unit: code.to_owned(),
                provider: provider.provider.expect("a provider").name,
                base: Some(place(32.7, 119.0 + number as f64)),
                ..Default::default()
            };
            let request = v1::CreateResponderRequest { responder: Some(responder) };
            let responder = registry.create_responder(request).await.expect("a helper").into_inner();
            let elder = v1::Elder {
                display_name: format!("桂英{code}"),
                address: format!("幸福路 {number} 号"),
                birth_date: "1940-05-01".to_owned(),
                org_unit: code.to_owned(),
                external_id: format!("E-{code}"),
                place: Some(place(32.7, 119.0 + number as f64)),
                ..Default::default()
            };
            let request = v1::CreateElderRequest { elder: Some(elder) };
            let elder = registry.create_elder(request).await.expect("an elder").into_inner();
            let elder = elder.elder.expect("an elder").name;
            let device = v1::Device { device_id: format!("wrist-{code}"), ..Default::default() };
            let request = v1::CreateDeviceRequest { device: Some(device) };
            let device = registry.create_device(request).await.expect("a device").into_inner();
            let device = device.device.expect("a device").name;
            let request = v1::BindDeviceRequest { device: device.clone(), elder: elder.clone(), from: None };
            registry.bind_device(request).await.expect("a binding");
            let sent = host.ingest().publish_signals(sos(&format!("wrist-{code}"))).await;
            let incident = sent.expect("taken").into_inner().results[0].incident.clone();
            let responder = responder.responder.expect("a helper").name;
            names.insert(code, [elder, device, responder, incident]);
        }
        Self { anhu, names }
    }
}

/// An SOS of this device, the same each time.
#[must_use]
pub fn sos(device: &str) -> v1::PublishSignalsRequest {
    let alert = v1::DeviceAlert { kind: v1::Kind::Sos.into(), id: "1".to_owned(), ..Default::default() };
    let content = Some(v1::device_signal::Content::Alert(alert));
    v1::PublishSignalsRequest { signals: vec![v1::DeviceSignal { device_id: device.to_owned(), content }] }
}
