//! Serve: put the parts together, run them, and take them apart in order.

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use anyhow::Context as _;
use frontdoor::{FrontDoor, Limits};
use journal::{Journal, Sequence};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::Millis;
use roster::Roster;
use store::Store;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use views::{Board, Directory};

use crate::{
    clock::Clock,
    config::{Checked, Config},
    door::Porter,
    engine::{self, Alarm, Works},
    gate::{Gate, Mode},
    http,
    hub::Hub,
    ingest::Ingest,
    keeper::{self, Keeper},
    link, metrics,
    node::{Journals, Node},
    opening::{Folders, open_dispatch, open_gate, open_registry, open_store},
    outbox,
    outlet::Outlet,
    policies::{NotReplaced, Policies, Reloaded},
    port,
    presence::{self, Presence},
    registrar::{self, Books},
    replica::Replica,
    token,
    watchdog::{self, Watchdog},
};

/// How often positions are looked through for those that became too old.
const SWEEP: Duration = Duration::from_secs(10);
/// How often the metrics tidy themselves.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often gRPC's health service is told how the node is.
const HEALTH: Duration = Duration::from_secs(1);
/// How long open requests may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// A node that runs.
pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    pub(crate) mqtt_addr: SocketAddr,
    gate: Arc<Gate>,
    tasks: JoinSet<()>,
    threads: Threads,
    folders: Folders,
    stop_threads: CancellationToken,
}

/// What a stop has to wait for, and the board that is kept then.
struct Threads {
    engine: JoinHandle<Works>,
    registrar: JoinHandle<Books>,
    keeper: JoinHandle<()>,
    outbox: JoinHandle<()>,
    board: Arc<Board>,
}

/// Starts a node: reads back what it knew, and opens its doors.
pub(crate) async fn start(checked: Checked, mode: Mode) -> anyhow::Result<Running> {
    let Checked { config, policy, access_policy, routes, http_listen, mqtt_listen } = checked;
    // From here on, so that a policy that is replaced during a long start does not end the program.
    let hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be listened to")?;
    let token = match mode {
        Mode::Open => None,
        Mode::Closed(_) => Some(token::token(&config.data_dir)?),
    };
    let (stop, stop_threads) = (CancellationToken::new(), CancellationToken::new());
    let folders = Folders::new(&config.data_dir);
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("the data folder {} cannot be made", config.data_dir.display()))?;

    // Ports first: nothing is read back for a node that cannot serve.
    let (listener, door) = listen(&config, http_listen, mqtt_listen).await?;
    let policies = Policies::new(policy, config.policy_file.clone());
    let recalled = recall(&config, &folders, &policies, Alarm(stop_threads.clone()))?;
    let Recalled { clock, store, directory, roster, board, hub, news, books, works, head, .. } = recalled;
    let gate = Arc::new(open_gate(&folders, mode, access_policy, clock.clone())?);
    let journals =
        Journals { dispatch: Arc::downgrade(&works.journal), registry: Arc::downgrade(&books.journal) };
    let (engine, engine_thread) = engine::start(works, stop_threads.clone())?;
    let (registrar, registrar_thread) = registrar::start(books, stop_threads.clone())?;
    let keeper = Keeper {
        folder: folders.dispatch_journal(),
        registry: folders.registry_journal(),
        journals: journals.clone(),
        clock: clock.clone(),
        config: config.journal,
        kept: recalled.kept,
    };
    let keeper = keeper::start(keeper, stop_threads.clone())?;
    let presence = Arc::new(Presence::recall(&store, &directory, clock.now()));
    let ingest = Arc::new(Ingest {
        routes,
        directory: Arc::clone(&directory),
        presence: Arc::clone(&presence),
        clock: clock.clone(),
    });
    // Every one of these runs until the server stops; when one ends earlier, the server does.
    let mut tasks = JoinSet::new();
    let links: Vec<_> = config
        .links
        .iter()
        .map(|link| link::start(link.clone(), Arc::clone(&ingest), engine.clone(), stop.clone(), &mut tasks))
        .collect();
    let (listeners, comers) = outbox::Listeners::new();
    let outgoing = outbox::Works {
        config: &config,
        clock: clock.clone(),
        board: Arc::clone(&board),
        door: Arc::clone(&door),
        links: links.clone(),
        engine: engine.clone(),
        store: Arc::clone(&store),
        journal: &folders.dispatch_journal(),
        head,
    };
    let (outbox, outbox_thread) = outbox::start(outgoing, news, comers, stop_threads.clone())?;
    let node = Arc::new(Node {
        clock,
        gate: Arc::clone(&gate),
        engine: engine.clone(),
        registrar,
        board: Arc::clone(&board),
        directory,
        roster,
        policies,
        presence,
        watchdog: Arc::new(Watchdog::new(config.watchdog)?),
        hub,
        ingest: Arc::clone(&ingest),
        door: Arc::clone(&door),
        links,
        outbox,
        journals,
        http_addr: listener.local_addr()?,
        stop: stop.clone(),
    });

    let porter = Arc::new(Porter { gate: Arc::clone(&gate), ingest, engine, listeners });
    let mqtt_addr = door.local_addr();
    let end = stop.clone();
    tasks.spawn(async move { door.run(porter, end.cancelled_owned()).await });
    tasks.spawn(until(stop.clone(), reload_on(hangups, Arc::clone(&node))));
    tasks.spawn(until(stop.clone(), sweep(Arc::clone(&node), config.position_fresh_s)));
    tasks.spawn(presence::keep(Arc::clone(&node), store));
    serve_node(&node, listener, token, &mut tasks)?;
    let threads =
        Threads { engine: engine_thread, registrar: registrar_thread, outbox: outbox_thread, keeper, board };
    Ok(Running { node, mqtt_addr, gate, tasks, threads, folders, stop_threads })
}

/// What a node knew when it stopped, before anything of it runs.
struct Recalled {
    clock: Clock,
    store: Arc<Store>,
    directory: Arc<Directory>,
    roster: Arc<Roster>,
    board: Arc<Board>,
    hub: Arc<Hub>,
    /// What leaves the dispatch journal from now on, for the outbox.
    news: outbox::Intake,
    books: Books,
    works: Works,
    /// The last record of the dispatch journal, and the one up to which its checkpoint goes.
    head: u64,
    kept: Sequence,
}

/// Reads back what the node knew.
fn recall(config: &Config, folders: &Folders, policies: &Policies, alarm: Alarm) -> anyhow::Result<Recalled> {
    let clock = Clock::start();
    let directory = Arc::new(Directory::default());
    let store = Arc::new(open_store(folders)?);
    let books = open_registry(folders, Arc::clone(&store), &directory, config.max_responders, clock.clone())?;
    let roster = Arc::clone(&books.roster);
    let (feed, news) = outbox::feed();
    let hub = Arc::new(Hub::new());
    let newest = Replica::newest(&folders.dispatch_journal());
    let (kept, board) = (newest.0.applied, Arc::clone(&newest.0.board));
    let outlet = Outlet {
        clock: clock.clone(),
        board: Arc::clone(&board),
        directory: Arc::clone(&directory),
        hub: Arc::clone(&hub),
        outbox: feed,
    };
    let (state, journal) = open_dispatch(folders, newest, outlet, alarm)?;
    roster.set_ahead(clock.ahead());
    watchdog::enrol(&roster);
    let head = journal.durable().0;
    dispatch::catch_up(&roster, &state);
    let works = Works {
        state,
        roster: Arc::clone(&roster),
        policy: policies.in_force(),
        clock: clock.clone(),
        journal: Arc::new(journal),
    };
    Ok(Recalled { clock, store, directory, roster, board, hub, news, books, works, head, kept })
}

/// Opens gRPC and HTTP, and what looks after the node.
fn serve_node(
    node: &Arc<Node>,
    listener: TcpListener,
    token: Option<String>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let stop = &node.stop;
    let metrics = metrics_handle();
    tasks.spawn(until(stop.clone(), upkeep(metrics.clone())));
    let (reporter, health) = tonic_health::server::health_reporter();
    tasks.spawn(until(stop.clone(), report_health(Arc::clone(node), reporter)));
    let router = http::router(Arc::clone(node), metrics, health)?;
    tasks.spawn(port::serve(listener, router, stop.clone()));
    tasks.spawn(until(stop.clone(), watchdog::run(Arc::clone(node), token)));
    Ok(())
}

/// Opens the ports.
async fn listen(
    config: &Config,
    http_listen: SocketAddr,
    mqtt_listen: SocketAddr,
) -> anyhow::Result<(TcpListener, Arc<FrontDoor>)> {
    let limits = Limits {
        max_connections: config.front_door.max_connections,
        max_packet_bytes: config.front_door.max_packet_bytes,
        connect_timeout: Duration::from_secs(config.front_door.connect_timeout_s),
        ack_deadline: Duration::from_secs(config.front_door.ack_deadline_s),
        ..Limits::default()
    };
    let listener = TcpListener::bind(http_listen)
        .await
        .with_context(|| format!("http_listen {http_listen} cannot be opened: is another server running?"))?;
    let door = FrontDoor::bind(mqtt_listen, limits)
        .await
        .with_context(|| format!("mqtt_listen {mqtt_listen} cannot be opened: is another broker running?"))?;
    Ok((listener, Arc::new(door)))
}

impl Running {
    /// Waits until a part has ended by itself, which none should.
    pub(crate) async fn ended(&mut self) {
        tokio::select! {
            _ = self.tasks.join_next() => {}
            () = self.stop_threads.cancelled() => {}
        }
    }

    /// Stops: takes nothing new, lets out what is under way, and keeps a snapshot for a quick start.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.node.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("some requests did not end in time; they are cut");
            self.tasks.shutdown().await;
        }
        self.stop_threads.cancel();
        let book = self.gate.close().await;
        let (threads, folders) = (self.threads, self.folders);
        let closing = move || {
            close(threads, &folders)?;
            book.map_or(Ok(()), |book| drain(book).map(drop))
        };
        tokio::task::spawn_blocking(closing).await?
    }
}

/// Ends the threads, flushes the journals and keeps a checkpoint of what is open.
fn close(threads: Threads, folders: &Folders) -> anyhow::Result<()> {
    let Threads { engine, registrar, outbox, keeper, board } = threads;
    let works = engine.join().map_err(|_| anyhow::anyhow!("the dispatch thread had panicked"))?;
    let books = registrar.join().map_err(|_| anyhow::anyhow!("the registry thread had panicked"))?;
    keeper.thread().unpark();
    keeper.join().map_err(|_| anyhow::anyhow!("the keeper's thread had panicked"))?;
    let Works { state, journal, clock, .. } = works;
    let applied = drain(journal)?;
    // Its feed ended with the journal.
    outbox.join().map_err(|_| anyhow::anyhow!("the outbox's thread had panicked"))?;
    drain(books.journal)?;
    let replica = Replica { state, board, applied, latest: clock.now() };
    let folder = folders.dispatch_journal();
    let hash = journal::hash_of(&folder, applied)?.unwrap_or_default();
    let kept = replica.keep(&folder, hash).and_then(|()| Ok(books.store.flush()?));
    if let Err(error) = kept {
        tracing::warn!(%error, "what is open was not kept; the next start reads more of the journal instead");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Flushes and closes a journal of which nobody else holds a part, and returns its last record.
fn drain<T: Send + 'static>(journal: Arc<Journal<T>>) -> anyhow::Result<Sequence> {
    let mut journal = journal;
    loop {
        match Arc::try_unwrap(journal) {
            Ok(journal) => return Ok(journal.close()?),
            // Somebody asks for its health at this very moment, and drops it with the answer.
            Err(shared) => journal = shared,
        }
        std::thread::yield_now();
    }
}

/// Runs `task` until `stop`.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = task => {}
    }
}

/// Reads the policy anew whenever somebody says so by SIGHUP.
async fn reload_on(mut hangups: Signal, node: Arc<Node>) {
    while hangups.recv().await.is_some() {
        match node.policies.reload(&node.engine).await {
            // Told where it is read and where it comes into force.
            Ok(Reloaded { replaced: true, .. }) | Err(NotReplaced::Faulty(_)) => {}
            Ok(Reloaded { version, .. }) => tracing::info!(version, "the policy is the same as before"),
            Err(error) => tracing::warn!(%error, "the policy was not replaced"),
        }
    }
}

/// Puts those whose position became too old at their station, and looks at the clock.
async fn sweep(node: Arc<Node>, fresh_s: u32) {
    let fresh = Millis::from_seconds(i64::from(fresh_s));
    let mut ticks = tokio::time::interval(SWEEP);
    let mut was_ahead = false;
    loop {
        ticks.tick().await;
        node.roster.set_ahead(node.clock.ahead());
        node.roster.sweep(node.clock.now() + Millis(-fresh.0));
        let trouble = node.clock.trouble();
        if trouble.is_some() != was_ahead {
            was_ahead = trouble.is_some();
            metrics::clock(trouble.as_deref());
        }
    }
}

/// Installs the recorder, or takes the one that is there: a process may run several nodes after one another.
fn metrics_handle() -> PrometheusHandle {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let waits = Matcher::Suffix("_seconds".to_owned());
            let builder = PrometheusBuilder::new().set_buckets_for_metric(waits, &metrics::WAITS);
            let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
            let handle = recorder.handle();
            // An error means that a recorder is installed already, and ours stays empty.
            let _ = ::metrics::set_global_recorder(recorder);
            metrics::describe();
            handle
        })
        .clone()
}

/// Tells gRPC's health service what `/readyz` says.
async fn report_health(node: Arc<Node>, reporter: HealthReporter) {
    let mut ticks = tokio::time::interval(HEALTH);
    loop {
        ticks.tick().await;
        let ready = node.health().ready;
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("", status).await;
    }
}

async fn upkeep(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
