//! People: what does a responder do with an offer?
//!
//! Each has an app: it says that they are on duty, reports where they are, and shows offers. Most accept after a while,
//! some decline, some do not look. Who accepts sets out, arrives, helps and is free again.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use model::{CoordinateSystem, Metres, Place};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use wire::v1::{
    self, AssignmentState, OfferState, responder_service_client::ResponderServiceClient,
    watch_offers_response::Change,
};

use super::{AGAIN, Arrival, Channel, Ledger, Tempo};
use crate::client::Server;

/// People on one connection. A server lets in about 200 requests at once on one, and each watches all the time.
const PEOPLE_PER_CONNECTION: usize = 80;
/// How often an app reports where it is.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// Positions that may wait for a connection; then the newest is dropped, and the next one mends it.
const POSITIONS: usize = 256;
/// How fast somebody strolls who has nothing to do, in metres per second.
const STROLL: f64 = 1.2;
/// How fast somebody goes who is needed: an electric bicycle.
const RIDE: f64 = 5.0;
/// How far people stroll from where they started, in metres.
const ROUND: f64 = 1_200.0;
/// How long going home may take everybody.
const GOING_HOME: Duration = Duration::from_secs(5);

/// Somebody who can be sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Person {
    /// `responders/3`.
    pub(super) name: String,
    pub(super) start: Place,
    pub(super) seed: u64,
}

/// Everybody on duty.
pub(super) struct Crowd {
    apps: JoinSet<()>,
    on_duty: Vec<(Client, Vec<String>)>,
}

type Client = ResponderServiceClient<Channel>;

impl Crowd {
    /// Lets everybody come on duty; each tells `arrival` once.
    pub(super) async fn gather(
        server: &Server,
        people: Vec<Person>,
        tempo: Tempo,
        ledger: &Arc<Ledger>,
        arrival: &Arrival,
    ) -> anyhow::Result<Self> {
        let (mut apps, mut on_duty) = (JoinSet::new(), Vec::new());
        for some in people.chunks(PEOPLE_PER_CONNECTION) {
            let client = ResponderServiceClient::new(server.connect().await?);
            let (positions, reports) = mpsc::channel(POSITIONS);
            apps.spawn(report(client.clone(), reports));
            for person in some {
                let app = App {
                    rng: Rng::with_seed(person.seed),
                    place: person.start,
                    going_to: person.start,
                    person: person.clone(),
                    tempo,
                    client: client.clone(),
                    positions: positions.clone(),
                    ledger: Arc::clone(ledger),
                    arrival: Some(arrival.clone()),
                    doing: Doing::Nothing,
                };
                apps.spawn(app.run());
            }
            on_duty.push((client, some.iter().map(|person| person.name.clone()).collect()));
        }
        Ok(Self { apps, on_duty })
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.on_duty.iter().map(|(_, people)| people.len()).sum()
    }

    /// Everybody goes off duty, so that nobody is asked who does not answer.
    pub(super) async fn go_home(mut self) {
        self.apps.shutdown().await;
        let mut leaving = JoinSet::new();
        for (mut client, people) in self.on_duty {
            leaving.spawn(async move {
                for responder in people {
                    // A server that is gone does not ask anybody either.
                    let _ = client
                        .set_duty(v1::SetDutyRequest { responder, duty: v1::Duty::OffDuty.into() })
                        .await;
                }
            });
        }
        let left = async { while leaving.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOING_HOME, left).await;
    }
}

/// Carries the positions of many on one stream, and opens it again when it breaks.
async fn report(mut client: Client, mut positions: mpsc::Receiver<v1::ReportPositionsRequest>) {
    loop {
        let (sender, requests) = mpsc::channel(POSITIONS);
        let feed = async {
            while let Some(position) = positions.recv().await {
                if sender.send(position).await.is_err() {
                    return false;
                }
            }
            true
        };
        let over = tokio::select! {
            over = feed => over,
            _ = client.report_positions(ReceiverStream::new(requests)) => false,
        };
        if over {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// One responder's app, and the one who holds it.
struct App {
    person: Person,
    rng: Rng,
    tempo: Tempo,
    client: Client,
    positions: mpsc::Sender<v1::ReportPositionsRequest>,
    ledger: Arc<Ledger>,
    arrival: Option<Arrival>,
    place: Place,
    going_to: Place,
    doing: Doing,
}

/// What somebody is about.
#[derive(Debug, Clone, PartialEq)]
enum Doing {
    Nothing,
    Thinking { offer: u64, incident: String, answer: Answer, until: Instant },
    Helping { incident: String, next: AssignmentState, until: Instant },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Decline,
}

const REASONS: [&str; 4] = ["正在照护其他老人", "车辆故障", "距离太远", "身体不适"];

impl App {
    async fn run(mut self) {
        loop {
            let ended = self.watch().await;
            if let (Err(status), Some(arrival)) = (ended, self.arrival.take()) {
                let _ = arrival.send(Err(status)).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// On duty until the stream ends.
    async fn watch(&mut self) -> Result<(), Status> {
        let responder = self.person.name.clone();
        let duty = v1::Duty::OnDuty.into();
        self.client.set_duty(v1::SetDutyRequest { responder: responder.clone(), duty }).await?;
        let mut offers = self.client.watch_offers(v1::WatchOffersRequest { responder }).await?.into_inner();
        self.doing = Doing::Nothing;
        self.report();
        let first = Instant::now() + REPORT_EVERY.mul_f64(self.rng.f64());
        let mut ticks = tokio::time::interval_at(first, REPORT_EVERY);
        loop {
            let due = self.due();
            tokio::select! {
                change = offers.message() => match change? {
                    Some(v1::WatchOffersResponse { change: Some(change) }) => self.hear(change).await,
                    Some(v1::WatchOffersResponse { change: None }) => {}
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.act().await?;
                }
                _ = ticks.tick() => {
                    self.step();
                    self.report();
                }
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        match &self.doing {
            Doing::Nothing => None,
            Doing::Thinking { until, .. } | Doing::Helping { until, .. } => Some(*until),
        }
    }

    async fn hear(&mut self, change: Change) {
        match change {
            Change::Offer(offer) => self.hear_offer(offer),
            Change::Assignment(assignment) => self.hear_assignment(&assignment),
            Change::SnapshotEnd(_) => {
                if let Some(arrival) = self.arrival.take() {
                    let _ = arrival.send(Ok(())).await;
                }
            }
            // Who accepted goes already, and tells so by the next step.
            Change::Reminder(_) | Change::Heartbeat(_) => {}
        }
    }

    fn hear_offer(&mut self, offer: v1::OfferNotice) {
        match offer.state() {
            OfferState::Sent | OfferState::Delivered | OfferState::Seen => {
                self.ledger.offered(&offer.incident);
                if let Some(answer) = self.make_up_mind() {
                    let until =
                        Instant::now() + self.tempo.answer(2.0 + 13.0 * self.rng.f64() * self.rng.f64());
                    let (offer, incident) = (offer.offer_id, offer.incident);
                    self.doing = Doing::Thinking { offer, incident, answer, until };
                }
            }
            OfferState::Unspecified
            | OfferState::Accepted
            | OfferState::Declined
            | OfferState::Expired
            | OfferState::Withdrawn
            | OfferState::Failed => {
                if matches!(&self.doing, Doing::Thinking { offer: mine, .. } if *mine == offer.offer_id) {
                    self.doing = Doing::Nothing;
                }
            }
        }
    }

    /// `None` for who does not look at the phone.
    fn make_up_mind(&mut self) -> Option<Answer> {
        if self.tempo.is_at_once() {
            return Some(Answer::Accept);
        }
        match self.rng.f64() {
            share if share < 0.80 => Some(Answer::Accept),
            share if share < 0.92 => Some(Answer::Decline),
            _ => None,
        }
    }

    /// Somebody sets out once; what the stream tells of later steps is known already.
    fn hear_assignment(&mut self, assignment: &v1::AssignmentNotice) {
        let mine = matches!(&self.doing, Doing::Helping { incident, .. } if *incident == assignment.incident);
        let next = match assignment.state() {
            AssignmentState::Assigned => AssignmentState::EnRoute,
            AssignmentState::EnRoute => AssignmentState::OnScene,
            AssignmentState::OnScene | AssignmentState::Transporting => AssignmentState::Cleared,
            AssignmentState::Unspecified | AssignmentState::Cleared | AssignmentState::Aborted => {
                if mine {
                    self.doing = Doing::Nothing;
                }
                return;
            }
        };
        if !mine {
            let home = assignment.place.as_ref();
            let home =
                home.and_then(|at| Place::new(at.latitude, at.longitude, CoordinateSystem::Wgs84).ok());
            self.going_to = home.unwrap_or(self.place);
            self.help(assignment.incident.clone(), next);
        }
    }

    /// Plans the next step in the field.
    fn help(&mut self, incident: String, next: AssignmentState) {
        let takes = match next {
            AssignmentState::EnRoute => 5.0 + 15.0 * self.rng.f64(),
            AssignmentState::OnScene => f64::from(self.place.distance(self.going_to).0) / RIDE,
            AssignmentState::Cleared => 120.0 + 180.0 * self.rng.f64(),
            AssignmentState::Unspecified
            | AssignmentState::Assigned
            | AssignmentState::Transporting
            | AssignmentState::Aborted => 0.0,
        };
        self.doing = Doing::Helping { incident, next, until: Instant::now() + self.tempo.work(takes) };
    }

    /// Does what is due.
    async fn act(&mut self) -> Result<(), Status> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => Ok(()),
            Doing::Thinking { offer, incident, answer: Answer::Accept, .. } => {
                self.accept(offer, &incident).await
            }
            Doing::Thinking { offer, answer: Answer::Decline, .. } => {
                let reason = REASONS[self.rng.usize(..REASONS.len())].to_owned();
                let (responder, offer_id) = (self.person.name.clone(), offer);
                let request = v1::DeclineOfferRequest { responder, offer_id, reason };
                unless_too_late(self.client.decline_offer(request).await.map(drop)).map(drop)
            }
            Doing::Helping { incident, next, .. } => self.advance(incident, next).await,
        }
    }

    async fn accept(&mut self, offer: u64, incident: &str) -> Result<(), Status> {
        let request = v1::AcceptOfferRequest { responder: self.person.name.clone(), offer_id: offer };
        let asked = Instant::now();
        let answer = unless_too_late(self.client.accept_offer(request).await)?;
        if let Some(answer) = answer {
            self.ledger.accepted(incident, asked.elapsed());
            if let Some(assignment) = answer.into_inner().assignment {
                self.hear_assignment(&assignment);
            }
        }
        Ok(())
    }

    async fn advance(&mut self, incident: String, next: AssignmentState) -> Result<(), Status> {
        let request = v1::UpdateAssignmentRequest {
            responder: self.person.name.clone(),
            incident: incident.clone(),
            state: next.into(),
            reason: String::new(),
        };
        if unless_too_late(self.client.update_assignment(request).await)?.is_none() {
            return Ok(());
        }
        match next {
            AssignmentState::EnRoute => self.help(incident, AssignmentState::OnScene),
            AssignmentState::OnScene => {
                self.place = self.going_to;
                self.help(incident, AssignmentState::Cleared);
            }
            AssignmentState::Unspecified
            | AssignmentState::Assigned
            | AssignmentState::Transporting
            | AssignmentState::Cleared
            | AssignmentState::Aborted => {}
        }
        Ok(())
    }

    /// Moves as far as somebody gets between two reports.
    fn step(&mut self) {
        let speed = match &self.doing {
            Doing::Nothing => STROLL,
            Doing::Helping { next: AssignmentState::OnScene, .. } => RIDE * self.tempo.field,
            Doing::Thinking { .. } | Doing::Helping { .. } => 0.0,
        };
        if self.doing == Doing::Nothing && self.place.distance(self.going_to) < Metres(20) {
            let mut side = || ROUND * (2.0 * self.rng.f64() - 1.0);
            let (north, east) = (side(), side());
            self.going_to = self.person.start.offset(north, east);
        }
        self.place = towards(self.place, self.going_to, speed * REPORT_EVERY.as_secs_f64());
    }

    fn report(&self) {
        let position = v1::ReportPositionsRequest {
            responder: self.person.name.clone(),
            place: Some(wire::place_to_wire(self.place)),
            fix_at: None,
        };
        // Full means that the server does not keep up: the next position mends this one.
        let _ = self.positions.try_send(position);
    }
}

/// What the rules of the server refuse has been overtaken by events: `None`. Everything else is a fault.
fn unless_too_late<T>(answer: Result<T, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

/// The place `metres` from `from` on the way to `to`, and no further than `to`.
fn towards(from: Place, to: Place, metres: f64) -> Place {
    let distance = f64::from(from.distance(to).0);
    if metres >= distance {
        return to;
    }
    let part = metres / distance;
    let between = |from: f64, to: f64| from + (to - from) * part;
    let (latitude, longitude) =
        (between(from.latitude(), to.latitude()), between(from.longitude(), to.longitude()));
    Place::new(latitude, longitude, CoordinateSystem::Wgs84).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_walks_towards_and_not_past() {
        let from = Place::new(32.7, 119.0, CoordinateSystem::Wgs84).expect("on the globe");
        let to = from.offset(300.0, 400.0);
        assert_eq!(towards(from, to, 100.0).distance(from), Metres(100));
        assert_eq!(towards(from, to, 100.0).distance(to), Metres(400));
        assert_eq!(towards(from, to, 501.0), to);
        assert_eq!(towards(from, to, f64::INFINITY), to);
        assert_eq!(towards(to, to, 0.0), to);
    }
}
