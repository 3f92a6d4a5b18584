//! Tell: one short line for each event.

use dispatch::{Alert, Event, IncidentEvent, Opened, Subject, Timer, Wave};
use model::Timestamp;

use super::world::{BEGIN, home};

/// The second of a story, as short as possible.
pub(crate) fn second(at: Timestamp) -> String {
    let second = (at.0.saturating_sub(BEGIN.0)) as f64 / 1000.0;
    format!("{second}")
}

pub(crate) fn event(at: Timestamp, event: &Event) -> String {
    let told = match event {
        Event::DutyChanged { responder, duty } => format!("r{responder} {duty:?}"),
        Event::DrillModeChanged { on } => format!("drill {on}"),
        Event::Incident { incident, event } => format!("#{incident} {}", of_incident(at, event)),
    };
    format!("{} {told}", second(at))
}

fn of_incident(at: Timestamp, event: &IncidentEvent) -> String {
    match event {
        IncidentEvent::Opened(event) => opened(event),
        IncidentEvent::AlertRaised(event) => alert(at, event),
        IncidentEvent::PriorityRaised { priority, kind } => format!("now {priority} {kind}"),
        IncidentEvent::Restored { device, kind } => format!("{kind} is over, says {device}"),
        IncidentEvent::TimersArmed { timers } => format!(
            "wakes at {}",
            timers.iter().map(|(what, due)| timer(*what, *due)).collect::<Vec<_>>().join(", ")
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
        .map(|chosen| format!("o{} r{} {}", chosen.offer, chosen.responder, chosen.distance))
        .collect();
    let by = wave.operator.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
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
    }
}
