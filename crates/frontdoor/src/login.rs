//! Is this connection a device that may come in?
//!
//! A stranger gets little: [`Limits::connect_timeout`](crate::Limits), a small buffer, one packet.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{
    Ack, Inbound, Intake, Login, Refusal,
    clients::{Closing, Seat},
    codec::Codec,
    connection::{Connection, Manner},
    counters::count,
    door::Door,
    end::End,
    packet::{Connect, Fault, Incoming, Outgoing, Verdict, Version, Welcome, Will},
    receipts::Outbox,
    wire::Wire,
};

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve<I, S>(door: &Door, intake: &I, stream: S, peer: SocketAddr)
where
    I: Intake,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut wire = Wire::new(stream, Codec::new(door.limits.max_packet_bytes_before_login));
    let greeted = tokio::select! {
        biased;
        () = door.shutdown.cancelled() => Err(End::ShuttingDown),
        greeted = timeout(door.limits.connect_timeout, greet(&mut wire)) => {
            greeted.unwrap_or(Err(End::ConnectTimeout))
        }
    };
    let admitted = greeted.and_then(|connect| Ok((admit(door, intake, &connect, peer)?, connect)));
    match admitted {
        Ok(((client, guest), connect)) => welcome(door, intake, wire, (client, &guest), *connect).await,
        Err(end) => {
            end.count(&door.counters);
            let verdict = refusal(end, wire.codec.version());
            wire.close(verdict.map(|verdict| Outgoing::ConnAck(verdict, Box::default()))).await;
        }
    }
}

/// Waits for CONNECT.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>) -> Result<Box<Connect>, End> {
    loop {
        match wire.next()? {
            Some(Incoming::Connect(connect)) => return Ok(connect),
            Some(_) => return Err(End::Fault(Fault::Protocol)),
            None => wire.exchange(true).await?,
        };
    }
}

/// The client id of a device that may come in, and whether we gave it.
struct Client {
    id: Arc<str>,
    assigned: bool,
}

fn admit<I: Intake>(
    door: &Door,
    intake: &I,
    connect: &Connect,
    peer: SocketAddr,
) -> Result<(Client, I::Guest), End> {
    if connect.wants_extended_login {
        return Err(End::Refused(Verdict::LoginMethod));
    }
    let client = client_id(door, connect).ok_or(End::Refused(Verdict::ClientId))?;
    let login = Login {
        client_id: &client.id,
        username: connect.username.as_deref(),
        password: connect.password.as_deref(),
        peer,
    };
    let guest = intake.admit(login).map_err(|refusal| End::Refused(refused(refusal)))?;
    if let Some(will) = &connect.will {
        if will.topic.is_empty() || will.topic.len() > door.limits.max_topic_bytes {
            return Err(End::Refused(Verdict::Topic));
        }
        if !intake.may_publish(&guest, &will.topic) {
            return Err(End::Refused(Verdict::NotAuthorized));
        }
    }
    Ok((client, guest))
}

/// An empty id gets one of ours; but a 3.1.1 device that wants its session kept must have one of its own.
fn client_id(door: &Door, connect: &Connect) -> Option<Client> {
    if !connect.client_id.is_empty() {
        return Some(Client { id: Arc::clone(&connect.client_id), assigned: false });
    }
    let may_assign = match connect.version {
        Version::V4 => connect.clean_session,
        Version::V5 => true,
    };
    may_assign.then(|| Client { id: door.new_client_id().into(), assigned: true })
}

fn refused(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::ClientId => Verdict::ClientId,
        Refusal::Credentials => Verdict::Credentials,
        Refusal::NotAuthorized => Verdict::NotAuthorized,
        Refusal::Unavailable => Verdict::Unavailable,
    }
}

/// The answer to a CONNECT that was not accepted; `None` where the standard wants silence.
fn refusal(end: End, version: Version) -> Option<Verdict> {
    match end {
        End::Refused(verdict) => Some(verdict),
        End::Fault(Fault::Version) => Some(Verdict::Version),
        End::Fault(_) => in_v5(Verdict::Malformed, version),
        End::ShuttingDown => in_v5(Verdict::Unavailable, version),
        End::Goodbye { .. }
        | End::Lost
        | End::ConnectTimeout
        | End::NotAuthorized
        | End::TooManyUnreleased
        | End::AckDropped
        | End::AckLate
        | End::KeepAlive
        | End::SlowReader
        | End::TakenOver => None,
    }
}

fn in_v5(verdict: Verdict, version: Version) -> Option<Verdict> {
    match version {
        Version::V4 => None,
        Version::V5 => Some(verdict),
    }
}

/// Seats the device, serves it, and does what is left to do when it is gone.
async fn welcome<I, S>(
    door: &Door,
    intake: &I,
    mut wire: Wire<S>,
    (client, guest): (Client, &I::Guest),
    mut connect: Connect,
) where
    I: Intake,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let outbox = Outbox::new(door.limits.outgoing_queue);
    let seat = Arc::new(Seat::new(door.next_id(), client.id, door.limits.in_flight, outbox));
    let place = Place::take(door, seat).await;
    count(&door.counters.logins);
    let welcome = Welcome {
        assigned_client_id: client.assigned.then(|| Arc::clone(&place.seat.client_id)),
        receive_maximum: door.limits.in_flight,
        max_packet_bytes: u32::try_from(door.limits.max_packet_bytes).unwrap_or(u32::MAX),
        no_session: connect.wants_session,
    };
    wire.codec.allow(door.limits.max_packet_bytes);
    wire.send(&Outgoing::ConnAck(Verdict::Accepted, Box::new(welcome)));

    let will = connect.will.take();
    let manner = Manner {
        keep_alive: (connect.keep_alive_s > 0)
            .then(|| Duration::from_millis(u64::from(connect.keep_alive_s) * 1500)),
        receive_maximum: connect.receive_maximum.min(door.limits.in_flight),
        max_packet_bytes: connect.max_packet_bytes,
    };
    // On the heap, so that its memory is free again while a last will waits for room.
    let (end, wire) = Box::pin(Connection::new(door, (intake, guest), &place.seat, wire, manner).run()).await;
    end.count(&door.counters);
    let last_deed = async {
        if let Some(will) = will
            && end.leaves_will()
        {
            hand_over_will(door, (intake, guest), &place.seat.client_id, will).await;
        }
        place.seat.ended.cancel();
    };
    tokio::join!(last_deed, wire.close(end.reason().map(Outgoing::Disconnect)));
}

async fn hand_over_will<I: Intake>(
    door: &Door,
    (intake, guest): (&I, &I::Guest),
    client_id: &Arc<str>,
    will: Will,
) {
    let message = Inbound {
        client_id: Arc::clone(client_id),
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        dup: false,
        will: true,
    };
    match timeout(door.limits.ack_deadline, intake.take(guest, message, Ack::unneeded())).await {
        Ok(()) => count(&door.counters.wills),
        Err(_) => count(&door.counters.wills_lost),
    }
}

/// A seat among the clients; given up when dropped, also by a panic.
struct Place<'d> {
    door: &'d Door,
    seat: Arc<Seat>,
}

impl<'d> Place<'d> {
    /// Takes the seat, sends the one who sits there away, and waits for their last will to be handed over: else
    /// "offline" of the old connection could come after "online" of the new one.
    async fn take(door: &'d Door, seat: Arc<Seat>) -> Self {
        let before = door.clients.seat(&seat);
        let place = Self { door, seat };
        if let Some(before) = before {
            before.close(Closing::TakenOver);
            // A will is given up after the same time. Should even that not be enough, the living device counts for more.
            let _ = timeout(door.limits.ack_deadline * 2, before.ended.cancelled()).await;
        }
        if door.shutdown.is_cancelled() {
            place.seat.close(Closing::ShuttingDown);
        }
        place
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.door.clients.leave(&self.seat);
        self.seat.ended.cancel();
    }
}
