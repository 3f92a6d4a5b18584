//! Narrator: what happens, one line a step, for whoever looks on?
//!
//! It knows only what the hotline's stream says, and the names of the county's people.

use std::collections::HashMap;

use console::{Style, style};
use registry::State;
use wire::{
    Name, time_from_wire,
    v1::{
        self, AssignmentState, Disposition, Kind, OfferState, Priority, TimelineAction, TimelineEntry,
        incident_service_client::IncidentServiceClient, watch_incidents_response::Change,
    },
};

use super::{AGAIN, Channel};

/// China has one time zone, eight hours ahead of UTC.
const CHINA: jiff::tz::Offset = jiff::tz::Offset::constant(8);
/// Width of the incident's name, in columns.
const NAME_WIDTH: usize = 14;

/// Who is who: names by `elders/7` and `responders/3`, an elder's with the address.
#[derive(Debug, Default)]
pub(crate) struct AddressBook(HashMap<String, String>);

impl AddressBook {
    /// Everybody in the registry.
    pub(crate) fn of(state: &State) -> Self {
        let elders = state
            .elders(None)
            .map(|elder| (Name::Elder(elder.id).to_string(), format!("{}, {}", *elder.name, *elder.address)));
        let responders = state
            .responders(None)
            .map(|responder| (Name::Responder(responder.id).to_string(), responder.name.to_string()));
        Self(elders.chain(responders).collect())
    }

    /// The name of somebody, or what they are called on the wire.
    fn who<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, String::as_str)
    }
}

/// Tells the story of every incident.
pub(crate) struct Narrator {
    book: AddressBook,
    /// How many steps of each open incident were told.
    told: HashMap<String, usize>,
}

impl Narrator {
    /// A narrator who has told nothing yet.
    pub(crate) fn new(book: AddressBook) -> Self {
        Self { book, told: HashMap::new() }
    }

    /// Tells `print` each step on the stream of the server behind `channel`. Never ends.
    pub(crate) async fn run(mut self, channel: Channel, print: impl Fn(String)) {
        let mut client = IncidentServiceClient::new(channel);
        let mut resume_token = String::new();
        loop {
            let request =
                v1::WatchIncidentsRequest { resume_token: resume_token.clone(), include_watchdog: false };
            if let Ok(changes) = client.watch_incidents(request).await {
                let mut changes = changes.into_inner();
                while let Ok(Some(response)) = changes.message().await {
                    resume_token = response.resume_token;
                    match response.change {
                        Some(Change::Incident(incident)) => self.tell(&incident).into_iter().for_each(&print),
                        Some(Change::SnapshotEnd(_) | Change::Heartbeat(_)) | None => {}
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The lines for what is new in `incident`.
    fn tell(&mut self, incident: &v1::Incident) -> Vec<String> {
        let told = self.told.entry(incident.name.clone()).or_default();
        let new = incident.timeline.get(*told..).unwrap_or_default();
        let first = *told == 0;
        *told = incident.timeline.len();
        let mut steps: Vec<(i64, String)> = Vec::new();
        let mut waves = Vec::new();
        for entry in new {
            let at = entry.at.as_ref().map_or(0, |at| time_from_wire(at).0);
            let wave = (entry.action() == TimelineAction::OfferSent).then_some(entry.at);
            if wave.is_some() && waves.contains(&wave) {
                continue;
            }
            waves.push(wave);
            let Some(text) = self.step(incident, entry, first) else { continue };
            match steps.last_mut() {
                // What is decided at once is told at once.
                Some((_, line)) if wave.is_some() && first => line.push_str(&format!("  {text}")),
                Some(_) | None => steps.push((at, text)),
            }
        }
        if incident.state() == v1::IncidentState::Closed {
            self.told.remove(&incident.name);
        }
        let line = |(at, text)| format!("{}  {:NAME_WIDTH$}  {text}", clock(at), incident.name);
        steps.into_iter().map(line).collect()
    }

    /// One step in words; `None` for what nobody needs to know.
    fn step(&self, incident: &v1::Incident, entry: &TimelineEntry, first: bool) -> Option<String> {
        let who = self.book.who(&entry.actor);
        let (green, yellow, dim) = (Style::new().green(), Style::new().yellow(), Style::new().dim());
        Some(match entry.action() {
            TimelineAction::Opened => self.opened(incident),
            TimelineAction::Alert if first => return None,
            TimelineAction::Alert => {
                format!("{}: again {}, alert {}", who, entry.detail.trim(), incident.alert_count)
            }
            TimelineAction::PriorityRaised => yellow.apply_to(format!("now {}", entry.detail)).to_string(),
            TimelineAction::Restored => format!("{who}: {}", entry.detail),
            TimelineAction::OfferSent => asked(incident, entry),
            TimelineAction::OfferAccepted => {
                let after = waited(incident, entry).map(|s| format!(" after {s} s")).unwrap_or_default();
                green.apply_to(format!("{who} accepted{after}")).to_string()
            }
            TimelineAction::OfferDeclined => format!("{who} declined: {}", entry.detail),
            TimelineAction::OfferExpired => format!("{} did not answer", self.book.who(&entry.detail)),
            TimelineAction::OfferFailed => format!("{} could not be told", self.book.who(&entry.detail)),
            TimelineAction::Assignment => green.apply_to(self.advanced(incident, entry)).to_string(),
            // That goes without saying when it begins.
            TimelineAction::Escalated if first && entry.detail == "family: opened" => return None,
            TimelineAction::Escalated => called(&entry.detail),
            TimelineAction::Acknowledged => format!("acknowledged by {who}"),
            TimelineAction::Note => format!("{who} notes: {}", entry.detail),
            TimelineAction::SearchStopped => format!("{who} stopped the search: {}", entry.detail),
            TimelineAction::Resolved => format!("resolved by {who}: {}", ending(incident.disposition())),
            TimelineAction::Closed => dim.apply_to("closed").to_string(),
            TimelineAction::TakenOver => format!("{who} took it over {}", entry.detail),
            TimelineAction::Triaged => yellow.apply_to(format!("{who} says {}", entry.detail)).to_string(),
            TimelineAction::HandedOver => format!("{who} called {}", entry.detail),
            TimelineAction::Merged => dim.apply_to(format!("merged {}", entry.detail)).to_string(),
            TimelineAction::Absorbed => format!("takes in {}", entry.detail),
            TimelineAction::Reopened => {
                yellow.apply_to(format!("reopened by {who}: {}", entry.detail)).to_string()
            }
            TimelineAction::Cancelled => green.apply_to(format!("cancelled: {}", entry.detail)).to_string(),
            TimelineAction::SaidToBeWell => {
                yellow.apply_to(format!("{}; an operator decides", entry.detail)).to_string()
            }
            TimelineAction::AssignmentDoubted => {
                let (helper, why) = entry.detail.split_once(' ').unwrap_or((&entry.detail, ""));
                yellow.apply_to(format!("! {} {why}", self.book.who(helper))).to_string()
            }
            TimelineAction::RespondersNeeded => format!("{} now", entry.detail),
            TimelineAction::NobodyFound => yellow.apply_to(format!("→ {}", entry.detail)).to_string(),
            TimelineAction::Unspecified
            | TimelineAction::OfferDelivered
            | TimelineAction::OfferSeen
            | TimelineAction::OfferWithdrawn => return None,
        })
    }

    fn opened(&self, incident: &v1::Incident) -> String {
        let urgency = match incident.priority() {
            Priority::P1 => style("P1").red().bold(),
            Priority::P2 => style("P2").yellow().bold(),
            Priority::P3 => style("P3"),
            Priority::P4 | Priority::Unspecified => style("P4").dim(),
        };
        let kind = word(incident.kind().as_str_name(), "KIND_");
        let whose = match incident.elder.as_str() {
            "" => format!("{}, of whom nothing is known", incident.device),
            elder => self.book.who(elder).to_owned(),
        };
        let raw = incident.alerts.first().filter(|_| incident.kind() == Kind::Unreadable);
        let raw = raw.map(|alert| format!("  {:?}", String::from_utf8_lossy(&alert.raw))).unwrap_or_default();
        format!("{urgency} {kind}  {whose}{raw}")
    }

    fn advanced(&self, incident: &v1::Incident, entry: &TimelineEntry) -> String {
        let who = self.book.who(&entry.actor);
        let state = entry.detail.split(' ').next().unwrap_or_default();
        let state = AssignmentState::from_str_name(&format!("ASSIGNMENT_STATE_{}", state.to_uppercase()));
        let state = state.unwrap_or(AssignmentState::Unspecified);
        match state {
            AssignmentState::EnRoute => format!("{who} is on the way"),
            AssignmentState::OnScene => {
                let since = incident.received_at.as_ref().zip(entry.at.as_ref());
                let after = since.map(|(from, to)| (time_from_wire(to) - time_from_wire(from)).0 / 1000);
                let after = after.map(|s| format!(", {s} s after the alarm")).unwrap_or_default();
                format!("{who} is on the scene{after}")
            }
            AssignmentState::Cleared => format!("{who} is done"),
            AssignmentState::Aborted => {
                format!("{who} gave up{}", entry.detail.trim_start_matches("aborted"))
            }
            AssignmentState::Unspecified | AssignmentState::Assigned | AssignmentState::Transporting => {
                format!("{who}: {}", entry.detail)
            }
        }
    }
}

/// How many are asked, and how far the nearest has to go.
fn asked(incident: &v1::Incident, entry: &TimelineEntry) -> String {
    let wave = incident.decisions.iter().rev().find(|decision| decision.at == entry.at);
    let chosen = wave.map(|wave| wave.chosen.as_slice()).unwrap_or_default();
    let helpers = if chosen.len() == 1 { "helper" } else { "helpers" };
    let nearest = chosen.first().map(|nearest| {
        format!(
            ", {} {} m, {} s",
            if chosen.len() == 1 { "at" } else { "nearest" },
            nearest.distance_metres,
            nearest.eta_seconds
        )
    });
    format!("→ {} {helpers} asked{}", chosen.len(), nearest.unwrap_or_default())
}

/// Who was called and why, from `supervisor: nobody_accepted`.
fn called(detail: &str) -> String {
    let detail = detail.replace('_', " ");
    match detail.split_once(": ") {
        Some(("family", why)) => style(format!("family to be told: {why}")).dim().to_string(),
        Some((_, "operator asks")) | None => style(format!("! {detail}")).yellow().to_string(),
        Some((step, why)) => style(format!("! {step}, because {why}")).yellow().to_string(),
    }
}

/// Seconds from the offer to its acceptance.
fn waited(incident: &v1::Incident, entry: &TimelineEntry) -> Option<i64> {
    let mine = |offer: &&v1::Offer| offer.responder == entry.actor && offer.state() == OfferState::Accepted;
    let sent = incident.offers.iter().rev().find(mine)?.sent_at?;
    Some((time_from_wire(entry.at.as_ref()?) - time_from_wire(&sent)).0 / 1000)
}

fn ending(disposition: Disposition) -> String {
    word(disposition.as_str_name(), "DISPOSITION_")
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

/// The time of day in China.
fn clock(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    CHINA.to_datetime(at).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use wire::time_to_wire;

    use super::*;

    /// 12:00:00 in China.
    const NOON: i64 = 1_795_320_000_000;

    fn at(second: i64) -> Option<prost_types::Timestamp> {
        Some(time_to_wire(Timestamp(NOON + 1000 * second)))
    }

    fn entry(second: i64, actor: &str, action: TimelineAction, detail: &str) -> TimelineEntry {
        let (actor, detail) = (actor.to_owned(), detail.to_owned());
        TimelineEntry { at: at(second), actor, action: action.into(), detail }
    }

    fn sos() -> v1::Incident {
        let offer = |responder: &str| v1::Offer {
            responder: responder.to_owned(),
            state: OfferState::Sent.into(),
            sent_at: at(5),
            ..v1::Offer::default()
        };
        let chosen =
            |distance_metres, eta_seconds| v1::Chosen { distance_metres, eta_seconds, ..Default::default() };
        v1::Incident {
            name: "incidents/3".to_owned(),
            elder: "elders/1".to_owned(),
            priority: Priority::P1.into(),
            kind: Kind::Sos.into(),
            offers: vec![offer("responders/4"), offer("responders/5")],
            decisions: vec![v1::WaveDecision {
                at: at(5),
                chosen: vec![chosen(420, 84), chosen(900, 180)],
                ..Default::default()
            }],
            timeline: vec![
                entry(5, "anhu", TimelineAction::Opened, "P1 sos"),
                entry(5, "devices/demo-000001", TimelineAction::Alert, "sos "),
                entry(5, "anhu", TimelineAction::Escalated, "family: opened"),
                entry(5, "anhu", TimelineAction::OfferSent, "responders/4, 420 m, 84 s"),
                entry(5, "anhu", TimelineAction::OfferSent, "responders/5, 900 m, 180 s"),
            ],
            ..v1::Incident::default()
        }
    }

    fn narrator() -> Narrator {
        let names = [("elders/1", "王桂英, 示范镇王庄村"), ("responders/4", "张伟")];
        Narrator::new(AddressBook(names.map(|(name, who)| (name.to_owned(), who.to_owned())).into()))
    }

    fn check(narrator: &mut Narrator, incident: &v1::Incident, expected: &[&str]) {
        let lines = narrator.tell(incident);
        let plain: Vec<_> = lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(plain, expected);
    }

    #[test]
    fn a_new_incident_is_told_in_one_line_and_each_later_step_in_its_own() {
        let (mut narrator, mut incident) = (narrator(), sos());
        let opened =
            "12:00:05  incidents/3     P1 sos  王桂英, 示范镇王庄村  → 2 helpers asked, nearest 420 m, 84 s";
        check(&mut narrator, &incident, &[opened]);
        check(&mut narrator, &incident, &[]);
        incident.offers[0].set_state(OfferState::Accepted);
        incident.timeline.extend([
            entry(11, "responders/4", TimelineAction::OfferAccepted, ""),
            entry(11, "anhu", TimelineAction::OfferWithdrawn, "responders/5 somebody else was first"),
            entry(12, "operators/小李", TimelineAction::Acknowledged, ""),
            entry(13, "responders/4", TimelineAction::Assignment, "en_route"),
        ]);
        let steps = [
            "12:00:11  incidents/3     张伟 accepted after 6 s",
            "12:00:12  incidents/3     acknowledged by operators/小李",
            "12:00:13  incidents/3     张伟 is on the way",
        ];
        check(&mut narrator, &incident, &steps);
    }

    #[test]
    fn doubts_hand_overs_and_what_the_elder_says_are_told_in_words() {
        let (mut narrator, mut incident) = (narrator(), sos());
        narrator.tell(&incident);
        let doubt = "responders/4 is not on the way and has not come nearer; asked again";
        incident.timeline.extend([
            entry(131, "anhu", TimelineAction::AssignmentDoubted, doubt),
            entry(131, "anhu", TimelineAction::Escalated, "operators: not_moving"),
            entry(140, "operators/小李", TimelineAction::HandedOver, "120 No 7"),
            entry(150, "anhu", TimelineAction::Escalated, "family: nobody_accepted"),
            entry(160, "devices/fall-1", TimelineAction::SaidToBeWell, "the elder says that all is well"),
        ]);
        let steps = [
            "12:02:11  incidents/3     ! 张伟 is not on the way and has not come nearer; asked again",
            "12:02:11  incidents/3     ! operators, because not moving",
            "12:02:20  incidents/3     operators/小李 called 120 No 7",
            "12:02:30  incidents/3     family to be told: nobody accepted",
            "12:02:40  incidents/3     the elder says that all is well; an operator decides",
        ];
        check(&mut narrator, &incident, &steps);
    }
}
