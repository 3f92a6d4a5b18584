//! `IngestService`: integrators without MQTT. The same rules, answered after the flush.

use std::pin::Pin;

use access::Permission;
use dispatch::Command;
use model::DeviceId;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::{FieldFault, Name, v1};

use super::{
    App, bad_field, not_durable,
    scope::{caller, of_sender},
    stopping,
};
use crate::{
    engine::Stopped,
    gate::{self, Caller},
    ingest::Arrival,
    metrics,
};

/// Signals one request may hold.
const MAX_SIGNALS: usize = 1000;
/// Answers waiting for one stream's socket; then its requests are not read.
const STREAM_BUFFER: usize = 4;

/// The service.
#[derive(Clone)]
pub(crate) struct Ingestion(pub(crate) App);

type ResultStream = Pin<Box<dyn Stream<Item = Result<v1::StreamSignalsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::ingest_service_server::IngestService for Ingestion {
    async fn publish_signals(
        &self,
        request: Request<v1::PublishSignalsRequest>,
    ) -> Result<Response<v1::PublishSignalsResponse>, Status> {
        let caller = caller(&request)?;
        let results = self.take(&caller, request.into_inner().signals).await?;
        Ok(Response::new(v1::PublishSignalsResponse { results }))
    }

    type StreamSignalsStream = ResultStream;

    async fn stream_signals(
        &self,
        request: Request<Streaming<v1::StreamSignalsRequest>>,
    ) -> Result<Response<ResultStream>, Status> {
        let caller = caller(&request)?;
        let mut batches = request.into_inner();
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let service = self.clone();
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    () = service.0.stop.cancelled() => Err(stopping(Stopped)),
                    () = caller.clone().over() => Err(gate::over()),
                    next = batches.message() => next,
                };
                let taken = match next {
                    Ok(None) => return,
                    Ok(Some(v1::StreamSignalsRequest { batch, signals })) => {
                        let taken = service.take(&caller, signals).await;
                        taken.map(|results| v1::StreamSignalsResponse { batch, results })
                    }
                    Err(status) => Err(status),
                };
                let failed = taken.is_err();
                if sender.send(taken).await.is_err() || failed {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl Ingestion {
    async fn take(
        &self,
        caller: &Caller,
        signals: Vec<v1::DeviceSignal>,
    ) -> Result<Vec<v1::SignalResult>, Status> {
        if signals.len() > MAX_SIGNALS {
            return Err(bad_field(FieldFault::new("signals", format!("send {MAX_SIGNALS} at most"))));
        }
        let mut results = vec![v1::SignalResult::default(); signals.len()];
        let (mut commands, mut owners) = (Vec::new(), Vec::new());
        for (index, signal) in signals.into_iter().enumerate() {
            if let Err(refused) = self.check_sender(caller, &signal) {
                metrics::refused_at_the_gate();
                results[index].error = refused.message().to_owned();
                continue;
            }
            let (made, error) = self.commands_of(signal);
            results[index].error = error;
            owners.extend(made.iter().map(|_| index));
            commands.extend(made);
        }
        let answer = self.0.engine.ask(commands).await.map_err(stopping)?;
        if !answer.durable {
            return Err(not_durable());
        }
        for (index, verdict) in owners.into_iter().zip(answer.verdicts) {
            // Alerts are never rejected.
            let Ok(verdict) = verdict else { continue };
            let incident = verdict.incident.map(|id| Name::Incident(id).to_string());
            results[index].incident = incident.unwrap_or_default();
            results[index].duplicate = verdict.duplicate;
        }
        Ok(results)
    }

    /// Refuses a signal of a device that is not the caller's to speak for. For one that nobody knows anybody may.
    fn check_sender(&self, caller: &Caller, signal: &v1::DeviceSignal) -> Result<(), Status> {
        // One without a name is refused where it is read.
        let Ok(device) = DeviceId::new(&signal.device_id) else { return Ok(()) };
        let record = of_sender(&self.0.directory, &device);
        caller.check(Permission::SignalsPublish, &record, &Name::Device(device).to_string())
    }

    /// The commands a signal means, and why it could not be read if it could not.
    fn commands_of(&self, signal: v1::DeviceSignal) -> (Vec<Command>, String) {
        metrics::message("grpc");
        let payload = signal.encode_to_vec();
        let topic = "anhu.v1.IngestService";
        let arrival = Arrival { topic, payload: &payload, retained: false, replayed: false };
        match wire::signals_of(signal) {
            Ok(signals) => {
                let commands = signals.into_iter().filter_map(|one| self.0.ingest.command_of(one, arrival));
                (commands.collect(), String::new())
            }
            Err(refusal) => {
                let error = refusal.to_string();
                (vec![self.0.ingest.unreadable(refusal, arrival)], error)
            }
        }
    }
}
