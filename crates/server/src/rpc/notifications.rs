//! `NotificationService`: what is told to systems outside, and whether it gets through.

use access::{Permission, Record};
use tonic::{Request, Response, Status};
use wire::{FieldFault, Name, time_to_wire, v1};

use super::{App, bad_field, no_such, page_size, page_start, scope::caller, stopping};
use crate::{
    engine::Stopped,
    outbox::{DEVICES, Listed, Listing, TargetState},
};

/// The service.
pub(crate) struct Notifications(pub(crate) App);

#[tonic::async_trait]
impl v1::notification_service_server::NotificationService for Notifications {
    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        caller(&request)?.check(Permission::NotificationsRead, &Record::OF_ALL, "the server")?;
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let start: usize = page_start(&request.page_token, |token| token.parse().ok())?.unwrap_or(0);
        let states = self.0.outbox.targets();
        let targets = states.iter().skip(start).take(size).map(target).collect();
        let more = states.len().saturating_sub(start) > size;
        let next_page_token = if more { (start + size).to_string() } else { String::new() };
        Ok(Response::new(v1::ListTargetsResponse { targets, next_page_token }))
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListDeliveriesRequest>,
    ) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        caller(&request)?.check(Permission::NotificationsRead, &Record::OF_ALL, "the server")?;
        let request = request.into_inner();
        let target = match request.parent.as_str() {
            "" => None,
            parent => Some(self.webhook(parent)?),
        };
        let size = page_size(request.page_size)?;
        let skip: usize = page_start(&request.page_token, |token| token.parse().ok())?.unwrap_or(0);
        let dead = match request.state() {
            v1::DeliveryState::Unspecified => None,
            v1::DeliveryState::Waiting => Some(false),
            v1::DeliveryState::Dead => Some(true),
        };
        // One more than the page holds tells whether there is another.
        let listing = Listing { target, dead, skip, limit: size + 1 };
        let mut listed = self.0.outbox.list(listing).await.ok_or_else(|| stopping(Stopped))?;
        let next_page_token = if listed.len() > size { (skip + size).to_string() } else { String::new() };
        listed.truncate(size);
        let deliveries = listed.iter().map(delivery).collect();
        Ok(Response::new(v1::ListDeliveriesResponse { deliveries, next_page_token }))
    }

    async fn retry_deliveries(
        &self,
        request: Request<v1::RetryDeliveriesRequest>,
    ) -> Result<Response<v1::RetryDeliveriesResponse>, Status> {
        caller(&request)?.check(Permission::NotificationsRetry, &Record::OF_ALL, "the server")?;
        let v1::RetryDeliveriesRequest { parent, name } = request.into_inner();
        let target = self.webhook(&parent)?;
        let key = match name.as_str() {
            "" => None,
            name => {
                let prefix = format!("{parent}/deliveries/");
                let key = name.strip_prefix(&prefix).ok_or_else(|| {
                    bad_field(FieldFault::new("name", format!("{name:?} does not begin with {prefix}")))
                })?;
                Some(key.to_owned())
            }
        };
        let one = key.is_some();
        let retried = self.0.outbox.retry(target, key).await.ok_or_else(|| stopping(Stopped))?;
        let count = retried.ok_or_else(|| no_such(&parent))?;
        if one && count == 0 {
            return Err(no_such(&name));
        }
        let retried_count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(v1::RetryDeliveriesResponse { retried_count }))
    }
}

impl Notifications {
    /// The webhook that is called `targets/…`.
    fn webhook(&self, name: &str) -> Result<String, Status> {
        let fault = || FieldFault::new("parent", format!("{name:?} is not a name of the form targets/…"));
        let webhook = name.strip_prefix("targets/").ok_or_else(|| bad_field(fault()))?;
        let known = self.0.outbox.targets().iter().any(|target| target.name == webhook && webhook != DEVICES);
        if known { Ok(webhook.to_owned()) } else { Err(no_such(name)) }
    }
}

fn target(state: &TargetState) -> v1::NotificationTarget {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let word = match (state.gone, state.failing_since) {
        (true, _) => v1::NotificationTargetState::Gone,
        (false, Some(_)) => v1::NotificationTargetState::Failing,
        (false, None) => v1::NotificationTargetState::Up,
    };
    v1::NotificationTarget {
        name: format!("targets/{}", state.name),
        state: word.into(),
        failing_since: state.failing_since.map(time_to_wire),
        waiting_count: count(state.waiting),
        dead_count: count(state.dead),
    }
}

fn delivery(listed: &Listed) -> v1::Delivery {
    let state = if listed.dead_at.is_some() { v1::DeliveryState::Dead } else { v1::DeliveryState::Waiting };
    v1::Delivery {
        name: format!("targets/{}/deliveries/{}", listed.target, listed.key),
        event: listed.event.to_owned(),
        incident: Name::Incident(listed.incident).to_string(),
        state: state.into(),
        tries: listed.tries,
        trouble: listed.trouble.clone(),
        decided_at: Some(time_to_wire(listed.decided_at)),
        useful_until: Some(time_to_wire(listed.useful_until)),
        given_up_at: listed.dead_at.map(time_to_wire),
    }
}
