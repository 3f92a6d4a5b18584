//! The floor: MQTT in, one flush for all that wait, a message on a gRPC stream, PUBACK. What helpers answer is flushed too,
//! before the reply. Nothing else.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc as std_mpsc,
    },
    thread,
};

use frontdoor::{Ack, FrontDoor, Inbound, Intake, Limits, Login, Refusal};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::v1;

/// Bytes written for each press, as much as the journal writes for the decision about one.
const RECORD: usize = 512;
/// Preallocated, so that a flush changes no metadata.
const FILE_BYTES: u64 = 256 << 20;

type Streams = Arc<Mutex<Vec<mpsc::Sender<Result<v1::WatchOffersResponse, Status>>>>>;

/// What waits for a flush.
enum Waiting {
    Press(Inbound, Ack),
    Answer(oneshot::Sender<()>),
}

/// Serves until it is killed, and prints its ports first.
pub(crate) async fn run(folder: &str) {
    let streams = Streams::default();
    let (queue, waiting) = std_mpsc::channel();
    let file = preallocated(Path::new(folder));
    let served = Arc::clone(&streams);
    thread::spawn(move || commit(&file, &waiting, &served));
    let door = FrontDoor::bind("127.0.0.1:0", Limits::default()).await.expect("a port");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{} {}", listener.local_addr().expect("its address"), door.local_addr().port());
    let service =
        v1::responder_service_server::ResponderServiceServer::new(Push { streams, queue: queue.clone() });
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener).map(|stream| {
        stream.inspect(|stream| {
            let _ = stream.set_nodelay(true);
        })
    });
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    door.run(Arc::new(Relay(Mutex::new(queue))), std::future::pending()).await;
}

fn preallocated(folder: &Path) -> File {
    let path = folder.join("floor");
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).expect("a file");
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).expect("room on the disk");
    }
    file.sync_all().expect("flushed");
    file
}

/// One committer: everything that waits goes out with one write and one flush.
fn commit(file: &File, waiting: &std_mpsc::Receiver<Waiting>, streams: &Streams) {
    let turn = AtomicUsize::new(0);
    let mut at = 0;
    while let Ok(first) = waiting.recv() {
        let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let bytes = vec![1; RECORD * group.len()];
        file.write_all_at(&bytes, at).expect("written");
        file.sync_data().expect("flushed");
        at = (at + bytes.len() as u64) % (FILE_BYTES / 2);
        let streams = streams.lock().expect("not poisoned");
        for one in group {
            let (message, ack) = match one {
                Waiting::Press(message, ack) => (message, ack),
                Waiting::Answer(reply) => {
                    let _ = reply.send(());
                    continue;
                }
            };
            ack.durable();
            if !message.topic.ends_with("/alert") || streams.is_empty() {
                continue;
            }
            let offer = v1::OfferNotice {
                incident: message.topic,
                state: v1::OfferState::Sent.into(),
                ..v1::OfferNotice::default()
            };
            let change = Some(v1::watch_offers_response::Change::Offer(offer));
            let turn = turn.fetch_add(1, Ordering::Relaxed) % streams.len();
            let _ = streams[turn].try_send(Ok(v1::WatchOffersResponse { change }));
        }
    }
}

struct Relay(Mutex<std_mpsc::Sender<Waiting>>);

impl Intake for Relay {
    type Guest = ();

    fn admit(&self, _: Login<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn may_publish(&self, (): &(), _: &str) -> bool {
        true
    }

    fn may_subscribe(&self, (): &(), _: &str) -> bool {
        true
    }

    async fn take(&self, (): &(), message: Inbound, ack: Ack) {
        let _ = self.0.lock().expect("not poisoned").send(Waiting::Press(message, ack));
    }
}

struct Push {
    streams: Streams,
    queue: std_mpsc::Sender<Waiting>,
}

impl Push {
    /// Returns when the answer is flushed.
    async fn flushed(&self) -> Result<(), Status> {
        let (reply, flushed) = oneshot::channel();
        let _ = self.queue.send(Waiting::Answer(reply));
        flushed.await.map_err(|_| Status::unavailable("the floor has ended"))
    }
}

#[tonic::async_trait]
impl v1::responder_service_server::ResponderService for Push {
    type WatchOffersStream = Pin<Box<dyn Stream<Item = Result<v1::WatchOffersResponse, Status>> + Send>>;

    async fn watch_offers(
        &self,
        _: Request<v1::WatchOffersRequest>,
    ) -> Result<Response<Self::WatchOffersStream>, Status> {
        let (sender, receiver) = mpsc::channel(1024);
        let begun = v1::watch_offers_response::Change::SnapshotEnd(v1::SnapshotEnd {});
        let _ = sender.try_send(Ok(v1::WatchOffersResponse { change: Some(begun) }));
        self.streams.lock().expect("not poisoned").push(sender);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn set_duty(
        &self,
        _: Request<v1::SetDutyRequest>,
    ) -> Result<Response<v1::SetDutyResponse>, Status> {
        Err(Status::unimplemented("the floor only pushes"))
    }

    async fn report_positions(
        &self,
        _: Request<Streaming<v1::ReportPositionsRequest>>,
    ) -> Result<Response<v1::ReportPositionsResponse>, Status> {
        Err(Status::unimplemented("the floor only pushes"))
    }

    async fn acknowledge_offer(
        &self,
        _: Request<v1::AcknowledgeOfferRequest>,
    ) -> Result<Response<v1::AcknowledgeOfferResponse>, Status> {
        Err(Status::unimplemented("the floor only pushes"))
    }

    async fn accept_offer(
        &self,
        _: Request<v1::AcceptOfferRequest>,
    ) -> Result<Response<v1::AcceptOfferResponse>, Status> {
        self.flushed().await?;
        Ok(Response::new(v1::AcceptOfferResponse::default()))
    }

    async fn decline_offer(
        &self,
        _: Request<v1::DeclineOfferRequest>,
    ) -> Result<Response<v1::DeclineOfferResponse>, Status> {
        Err(Status::unimplemented("the floor only pushes"))
    }

    async fn update_assignment(
        &self,
        _: Request<v1::UpdateAssignmentRequest>,
    ) -> Result<Response<v1::UpdateAssignmentResponse>, Status> {
        self.flushed().await?;
        Ok(Response::new(v1::UpdateAssignmentResponse::default()))
    }
}
