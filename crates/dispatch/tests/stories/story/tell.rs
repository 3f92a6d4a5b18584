//! Tell: one short line for each event.

use dispatch::{Alert, Event, IncidentEvent, Opened, Subject, Timer, Wave};
use model::Timestamp;

use super::world::{BEGIN, home};

/// The second of a story, as short as possible.
pub(crate) fn second(at: Timestamp) -> String {
    let second = (at.0.saturating_sub(BEGIN.0)) as f64 / 1000.0;
    format!("{second}")
}

/// The line for `event`; none for a search that begins at once, since what it finds is the next line.
pub(crate) fn event(at: Timestamp, event: &Event) -> Option<String> {
    let told = match event {
        Event::DutyChanged { responder, duty } => format!("r{responder} {duty:?}"),
        Event::DrillModeChanged { on } => format!("drill {on}"),
        Event::PolicyReplaced { version } => format!("policy {version}"),
        Event::Incident { incident, event } => {
            if begins_search_only(at, event) {
                return None;
            }
            format!("#{incident} {}", of_incident(at, event))
        }
    };
    Some(format!("{} {told}", second(at)))
}

fn begins_search_only(at: Timestamp, event: &IncidentEvent) -> bool {
    matches!(event, IncidentEvent::TimersArmed { timers } if timers.iter().all(|timer| begins_search(at, *timer)))
}

fn begins_search(at: Timestamp, timer: (Timer, Timestamp)) -> bool {
    timer == (Timer::SearchAgain, at)
}

fn of_incident(at: Timestamp, event: &IncidentEvent) -> String {
    match event {
        IncidentEvent::Opened(event) => opened(event),
        IncidentEvent::AlertRaised(event) => alert(at, event),
        IncidentEvent::PriorityRaised { priority, kind } => format!("now {priority} {kind}"),
        IncidentEvent::Restored { device, kind } => format!("{kind} is over, says {device}"),
        IncidentEvent::TimersArmed { timers } => format!(
            "wakes at {}",
            timers
                .iter()
                .filter(|timer| !begins_search(at, **timer))
                .map(|(what, due)| timer(*what, *due))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        IncidentEvent::WaveSent(event) => wave(event),
        IncidentEvent::OfferDelivered { offer } => format!("o{offer} delivered"),
        IncidentEvent::OfferSeen { offer } => format!("o{offer} seen"),
        IncidentEvent::OfferAccepted { offer, responder } => format!("o{offer} r{responder} accepts"),
        IncidentEvent::OfferEnded { offer, responder, end } => format!("o{offer} r{responder} {end:?}"),
        IncidentEvent::AssignmentAdvanced { responder, state } => format!("r{responder} {state:?}"),
        IncidentEvent::AssignmentAborted { responder, reason } => format!("r{responder} gives up: {reason}"),
        IncidentEvent::Escalated { step, reason } => format!("calls {step:?}: {reason:?}"),
        IncidentEvent::Acknowledged { operator } => format!("taken by {operator}"),
        IncidentEvent::SearchStopped { operator, .. } => format!("search stopped by {operator}"),
        IncidentEvent::NoteAdded { operator, text } => format!("noted by {operator}: {text}"),
        IncidentEvent::Resolved { operator, disposition, .. } => {
            format!("resolved by {operator}: {disposition:?}")
        }
        IncidentEvent::TakenOver { operator, from, reason } => {
            format!("taken over by {operator} from {from}: {reason}")
        }
        IncidentEvent::Triaged { operator, priority, kind, reason } => {
            format!("triaged by {operator}: {priority} {kind}, {reason}")
        }
        IncidentEvent::HandedOver { operator, service, .. } => {
            format!("handed to {} by {operator}", service.as_str())
        }
        IncidentEvent::Merged { into, operator, .. } => format!("goes up in #{into}, by {operator}"),
        IncidentEvent::Absorbed { from, alert_count, .. } => {
            format!("takes in #{from}, {alert_count} alerts")
        }
        IncidentEvent::Reopened { operator, reason } => format!("reopened by {operator}: {reason}"),
        IncidentEvent::Cancelled { device, .. } => format!("cancelled, says {device}"),
        IncidentEvent::SaidToBeWell { device, .. } => format!("all is well, says {device}"),
        IncidentEvent::AssignmentDoubted { responder, doubt } => format!("r{responder} seems {doubt:?}"),
        IncidentEvent::RespondersNeeded { count } => format!("needs {count}"),
        IncidentEvent::Closed { operator } => {
            format!("closed by {}", operator.as_deref().unwrap_or("itself"))
        }
    }
}

fn opened(opened: &Opened) -> String {
    let whose = match &opened.subject {
        Subject::Elder(elder) => format!("elder {elder}"),
        Subject::Device(device) => format!("device {device}"),
        Subject::Topic(topic) => format!("topic {topic}"),
        Subject::Call(request) => format!("call {request}"),
        Subject::Watchdog => "the watchdog".to_owned(),
    };
    let mut told = format!("opened for {whose}: {} {}", opened.priority, opened.kind);
    if opened.exercise {
        told += ", exercise";
    }
    if let Some(hold) = opened.hold {
        told += &format!(", held {hold:?}");
    }
    if opened.place.is_none() {
        told += ", nowhere";
    }
    told
}

fn alert(at: Timestamp, alert: &Alert) -> String {
    let mut told = format!("alert {} {}", alert.alert, alert.kind);
    if let Some(hold) = alert.hold {
        told += &format!(", held {hold:?}");
    }
    if alert.received_at != at {
        told += &format!(", received at {}", second(alert.received_at));
    }
    if let Some(time) = alert.device_time {
        told += &format!(", occurred at {}, by the device {}", second(alert.occurred_at), second(time));
    }
    if let Some(place) = alert.place {
        told += &format!(", {} away", place.distance(home()));
    }
    told
}

fn wave(wave: &Wave) -> String {
    let asks: Vec<String> = wave
        .chosen
        .iter()
        .map(|chosen| {
            let uncovers = chosen.uncovers.map(|town| format!(" leaves {town} alone")).unwrap_or_default();
            format!("o{} r{} {}{uncovers}", chosen.offer, chosen.responder, chosen.distance)
        })
        .collect();
    let mut by = wave.operator.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    if let Some(best) = wave.instead_of {
        by += &format!(" instead of r{best}");
    }
    if asks.is_empty() {
        let left: Vec<String> =
            wave.left_out.iter().map(|left| format!(" {} {}", left.count, left.reason)).collect();
        return format!("finds nobody{by} in {}{}", wave.reach, left.concat());
    }
    format!("wave {}{by} in {} until {}: {}", wave.wave, wave.reach, second(wave.expires_at), asks.join(", "))
}

fn timer(timer: Timer, due: Timestamp) -> String {
    let due = second(due);
    match timer {
        Timer::CallBack => format!("{due} CallBack"),
        Timer::SearchAgain => format!("{due} SearchAgain"),
        Timer::Escalate(step, reason) => format!("{due} {step:?} {reason:?}"),
        Timer::Close => format!("{due} Close"),
        Timer::Moving(responder) => format!("{due} Moving r{responder}"),
        Timer::Arrived(responder) => format!("{due} Arrived r{responder}"),
    }
}
