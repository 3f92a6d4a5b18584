# The commands of the README. Each installs what it needs on a machine that has the Rust toolchain, Debian's package
# manager and npm.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# What the tests talk to: a real broker, its clients, a plain HTTP client, and a clock that can be set.
PACKAGES := mosquitto mosquitto-clients curl faketime
# What Anhu is measured beside.
PEERS := mosquitto postgresql-15 postgresql-15-postgis-3 python3-venv
# What `make soak` plays: more than a check of a change has time for.
SEEDS := 1000000
DAYS := 2000
FROM := 1
MINUTES := 60
# Of a siege.
KILLS := 100
ALERTS := 100000
JOBS := $(shell nproc)
# How often `make power` cuts.
CUTS := 200
# What `make fuzz` gives each target.
SECONDS := 60
# Apart, because everything below the roster is built with other flags.
LOOM := $(or $(CARGO_TARGET_DIR),target)/loom
BUF := tests/tools/node_modules/@bufbuild/buf-linux-x64/bin/buf

.PHONY: help demo test soak siege defects loom miri fuzz power bench peers deny tools

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## Run a county with devices and helpers, and watch an SOS being dispatched
	cargo run --release --package server --bin anhu -- demo $(ARGS)

test: tools ## Run every check that decides what lands
	cargo fmt --all --check
	$(BUF) lint proto
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo test --workspace --locked
	$(MAKE) loom
	cargo run --release --locked --package sim -- --seeds 100000 --jobs 2
	cargo run --release --locked --package sim -- --days 200 --jobs 2

soak: ## Play simulated worlds and days, then serve a city for an hour and draw it: make soak SEEDS=10000000 DAYS=40000 FROM=1 MINUTES=60
	cargo run --release --locked --package sim -- --seeds $(SEEDS) --from $(FROM) --jobs $(JOBS)
	cargo run --release --locked --package sim -- --days $(DAYS) --from $(FROM) --jobs $(JOBS)
	cargo build --release --locked --package server
	cargo bench --locked --package benches --bench soak -- --minutes $(MINUTES) --picture $(CURDIR)/docs/soak.svg

siege: ## Kill a server again and again under load, and count what is lost or doubled: make siege KILLS=1000 ALERTS=1000000
	cargo build --release --locked --package server --package tests
	cargo run --release --locked --package tests --bin siege -- $(KILLS) $(ALERTS)

defects: ## Plant each known mistake in a copy of the core and see whether simulated worlds find it
	crates/sim/defects/run

loom: ## Try the interleavings of a few threads in the roster
	RUSTFLAGS="--cfg loom" cargo test --release --locked --package roster --test loom --target-dir $(LOOM)

miri: ## Look for undefined behaviour in the roster (half an hour; needs a nightly toolchain with miri)
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --package roster

fuzz: ## Look for bytes that break a decoder: make fuzz SECONDS=300 TARGETS="devices policy" (needs a nightly toolchain)
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	SECONDS_EACH=$(SECONDS) TARGETS="$(TARGETS)" tests/fuzz/run

power: ## Cut the power under a running server, fill its disk, freeze it, make it read-only: make power CUTS=1000 (as root)
	cargo build --package server
	ANHU_DISKS_MUST=1 CUTS=$(CUTS) cargo test --package tests --test power_loss --test full_disk --test stuck_disk -- --nocapture --test-threads=1

bench: ## Measure: the parts with criterion, then the whole path beside its floor
	cargo build --release --package server
	cargo bench --package benches $(ARGS)

peers: ## Measure Anhu beside Mosquitto, a script and PostGIS: a quarter of an hour, or make peers ARGS="--seconds 3 --rounds 1 --kills 1 --summit 5000"
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $(PEERS); }
	cd benches/peers/node && npm ci --no-audit --no-fund
	python3 -m venv benches/peers/python/venv
	benches/peers/python/venv/bin/pip install --quiet --requirement benches/peers/python/requirements.txt
	cargo build --release --package server
	@dpkg-query --show $(PEERS); node --version; python3 --version; nproc; uname -r
	cargo bench --package benches --bench peers -- $(ARGS)

deny: ## Check licences, banned crates and sources of everything we build on
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check licenses bans sources

tools: $(BUF)
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $(PACKAGES); }

$(BUF): tests/tools/package-lock.json
	cd tests/tools && npm ci --no-audit --no-fund
	@touch $(BUF)
