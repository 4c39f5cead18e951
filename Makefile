# monban: `make help` explains each target. GOFLAGS and friends can be set as usual.
SHELL := /bin/bash
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
# Time of the commit: by it a gateway knows which of two programs is the newer one.
NUMBER := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.number=$(NUMBER)
GO ?= go
GOBUILD := $(GO) build -trimpath -ldflags "$(LDFLAGS)"
FUZZTIME ?= 10s
# SQLite compiled as the Go tool does by default, but without tables for a debugger of C: a fifth of a minute less.
export CGO_CFLAGS ?= -O2
# Compilers and tests of these may use more memory before they collect it (some 500 MB a process): a quarter less processor time.
test lint race test-32bit test-nested test-arm browser broken fuzz sim: export GOGC ?= 400
test lint race test-32bit test-nested test-arm browser broken fuzz sim: export GOMEMLIMIT ?= 2GiB
SEEDS ?= 100
# What test-arm runs; what it skips counts millions (emulation is some twenty times slower) or starts itself again (without qemu).
ARM_PACKAGES := ./firmware/door ./firmware/osdp ./firmware/wiegand ./firmware/supervision ./firmware/card ./gateway/watchdog ./gateway/controller ./gateway/reader ./gateway/policycache ./gateway/outbox ./gateway/hal/pi
ARM_SKIP := ^Test(Every26BitFrame|RandomFrames|MutatedFrames|LockTrace|Kill9|OSDPAttacks|OSDPFaultSchedules|OSDPLine)

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

need-go:
	@command -v $(GO) >/dev/null || { echo "missing: Go 1.26 or newer. Install it with: apt-get install golang-go, or unpack the archive of go.dev/dl into /usr/local"; exit 1; }
need-cc: need-go
	@command -v $${CC:-gcc} >/dev/null || { echo "missing: a C compiler (the server's SQLite needs it). Install it with: apt-get install gcc libc6-dev"; exit 1; }

build: server gateway verifier ## all three programs into bin/
server: need-cc ## bin/monban-server
	@[ -e bin/monban-server ] || echo "building bin/monban-server; the first time it takes one to three minutes, most of it for SQLite"
	@mkdir -p bin && $(GOBUILD) -o bin/monban-server ./server
verifier: need-go ## bin/monban-verify for an auditor's PC: Linux and Windows, one file, no cgo
	@mkdir -p bin && CGO_ENABLED=0 $(GOBUILD) -o bin/monban-verify ./server/monban-verify
	@CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GOBUILD) -o bin/monban-verify.exe ./server/monban-verify
gateway: need-go ## bin/monban-gateway for this machine, without cgo
	@mkdir -p bin && CGO_ENABLED=0 $(GOBUILD) -o bin/monban-gateway ./gateway
gateway-amd64: need-go ## gateway for a 64-bit PC
	@mkdir -p bin && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GOBUILD) -o bin/monban-gateway-amd64 ./gateway
gateway-arm64: need-go ## gateway for a 64-bit Raspberry Pi
	@mkdir -p bin && CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GOBUILD) -o bin/monban-gateway-arm64 ./gateway
gateway-armv7: need-go ## gateway for a Raspberry Pi 2 or 3 with a 32-bit system
	@mkdir -p bin && CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=7 $(GOBUILD) -o bin/monban-gateway-armv7 ./gateway
gateway-armv6: need-go ## gateway for a Raspberry Pi 1 or Zero
	@mkdir -p bin && CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=6 $(GOBUILD) -o bin/monban-gateway-armv6 ./gateway

# The version that packages have: ordered by time, of the commit. SOURCE_DATE_EPOCH is every time in them.
PACKAGE_VERSION ?= $(shell TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=0~%cd.%h 2>/dev/null || echo 0~unknown)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
server-arm64: need-go ## server for a 64-bit ARM machine; needs a cross compiler
	@command -v aarch64-linux-gnu-gcc >/dev/null || { echo "missing: a C compiler for arm64. Install it with: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"; exit 1; }
	@mkdir -p bin && CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc GOOS=linux GOARCH=arm64 $(GOBUILD) -o bin/monban-server-arm64 ./server
packages: server server-arm64 packages-only ## bin/packages: .deb and tar of server and gateway, tested
packages-only: gateway-amd64 gateway-arm64 gateway-armv6
	cd packaging && $(GO) test ./... && CGO_ENABLED=0 $(GO) build -trimpath -o ../bin/packaging .
	@rm -rf bin/packages && bin/packaging --root . --version "$(PACKAGE_VERSION)" --epoch "$(SOURCE_DATE_EPOCH)" --out bin/packages \
		gateway:amd64:bin/monban-gateway-amd64 gateway:arm64:bin/monban-gateway-arm64 gateway:armhf:bin/monban-gateway-armv6 \
		$$(for a in amd64 arm64; do f=bin/monban-server; [ $$a = amd64 ] || f=bin/monban-server-$$a; [ ! -e $$f ] || echo server:$$a:$$f; done)

bundle: packages bundle-only ## bin/bundle: the offline bundle, signed with RELEASE_KEY (files), RELEASE_ROOT, STAMP_KEY; MONBAN_DEBIAN=1 adds what makes PDFs, MONBAN_IMAGE=1 the memory card of `make image`
bundle-only: verifier
	@[ -n "$(RELEASE_KEY)" ] || { echo "missing: RELEASE_KEY=FILE, the release key. Make one with: bin/monban-server bundle key NAME --out FILE"; exit 1; }
	@[ -z "$$MONBAN_IMAGE" ] || [ -e bin/monban-gateway.img ] || { echo "missing: bin/monban-gateway.img. Make it with: make image"; exit 1; }
	@rm -rf bin/bundle && GO="$(GO)" scripts/bundle bin/bundle "$(PACKAGE_VERSION)" "$(SOURCE_DATE_EPOCH)" "$(RELEASE_KEY)" "$(RELEASE_ROOT)" "$(STAMP_KEY)"
image: gateway-arm64 ## bin/monban-gateway.img: memory card of a gateway on a Raspberry Pi (arm64), the same bytes each time
	@[ -x /usr/sbin/mkfs.ext4 ] || [ -x /sbin/mkfs.ext4 ] || { echo "missing: mkfs.ext4. Install it with: apt-get install e2fsprogs"; exit 1; }
	cd firmware/image && $(GO) vet ./... && $(GO) test ./...
	@GO="$(GO)" scripts/image bin/monban-gateway.img "$(PACKAGE_VERSION)" "$(NUMBER)"
image-boot: server ## start the image in QEMU as a Raspberry Pi 3, TIMES=3 times to a card logged at a server of this machine; audit
	@[ -e bin/monban-gateway.img ] || { echo "missing: bin/monban-gateway.img. Make it with: make image"; exit 1; }
	@scripts/image-boot bin/monban-gateway.img $(or $(TIMES),3)
image-accept: server ## a door is accepted at the image in QEMU, by its page over TLS alone; its sheet and the server's log (10 minutes)
	@[ -e bin/monban-gateway.img ] || { echo "missing: bin/monban-gateway.img. Make it with: make image"; exit 1; }
	@scripts/image-accept bin/monban-gateway.img
image-update: server ## a release of the image's own keys is tried in QEMU and loses its power four times in the trial, then stays (10 minutes)
	@[ -e bin/monban-gateway.img ] || { echo "missing: bin/monban-gateway.img. Make it with: make image"; exit 1; }
	@rm -rf .cache/image-update && mkdir -p .cache/image-update && bin/monban-server bundle key drill --out .cache/image-update/key
	@e=$$(($$(date +%s))); $(MAKE) --no-print-directory packages-only bundle-only VERSION=drill NUMBER=$$e PACKAGE_VERSION=0~drill SOURCE_DATE_EPOCH=$$e RELEASE_KEY=.cache/image-update/key >.cache/image-update/make.log 2>&1 || { tail -n 5 .cache/image-update/make.log; exit 1; }
	@mv bin/bundle .cache/image-update/bundle && scripts/image-update bin/monban-gateway.img .cache/image-update/bundle .cache/image-update/bundle/root/1
same: need-cc ## image, packages and bundle built twice from two clones, the second with an empty build cache: byte for byte the same (minutes)
	@scripts/same
test-nested: need-go ## the tests of the modules that make packages and the image
	cd packaging && $(GO) vet ./... && $(GO) test ./...
	cd firmware/image && $(GO) vet ./... && $(GO) test ./...
spare-drill: need-cc ## a gateway dies with its card: a spare is invited, joins, has its rules, and the same card opens (OP-9); with the time of each step
	$(GO) test -count=1 -v -run 'TestSpareGatewayDrill' ./server/world/e2e
rollout-drill: need-cc ## a release rolled out to three gateways by the server, real processes; one that is not well stops at the first, which goes back (OP-4; minutes)
	MONBAN_ROLLOUT=1 $(GO) test -count=1 -v -timeout 20m -run 'TestRolloutToThreeGateways' ./server/world/e2e
restore-drill: need-cc ## a site restored on an empty machine by the commands of the manual alone, English and Japanese
	$(GO) test -count=1 -v -run 'TestRestoreFromTheManual' ./server/world/e2e
install-drill: ## the whole way on fresh Debian trees without a network: bundle, set-up, gateway, card, backup, restore, verify (root)
	@[ -d bin/bundle ] || { echo "missing: bin/bundle. Make it with: make bundle RELEASE_KEY=FILE"; exit 1; }
	@scripts/install-drill bin/bundle bin/bundle/root/1 # stands for the root that came another way
update-drill: need-cc ## update apply under a booted systemd, in a container: a bad version, CUTS=8 times the machine down in between, a good one (root; 10 minutes)
	@rm -rf .cache/update-drill && mkdir -p .cache/update-drill && $(MAKE) --no-print-directory server
	@bin/monban-server bundle key drill --out .cache/update-drill/key
	@for n in 1 2 3; do \
		e=$$(($(NUMBER) + n)); $(MAKE) --no-print-directory server packages-only bundle-only VERSION=drill-$$n NUMBER=$$e PACKAGE_VERSION=0~drill.$$n SOURCE_DATE_EPOCH=$$e RELEASE_KEY=.cache/update-drill/key >.cache/update-drill/$$n.log 2>&1 && \
		mv bin/bundle .cache/update-drill/$$n || { tail -n 5 .cache/update-drill/$$n.log; exit 1; }; done
	@scripts/update-drill .cache/update-drill/1 .cache/update-drill/2 .cache/update-drill/3 $(or $(CUTS),8)

run: build ## start the demo: a server and two simulated gateways with a sample city hall; Ctrl-C stops all
	@scripts/run

test: need-cc ## every test but browser, fuzz, bench and builds for other machines (under 10 minutes on 2 cores); make lint vets
	$(GO) test -vet=off -ldflags=-w ./...

# Halves that take about as long: 0/2 and 1/2 (.ci/check takes turns); anything else is both.
RACE_APP := ./server/app/... ./server/downlink/...
RACE_REST := ./server/store/... ./server/web/... ./gateway/...
race: need-cc ## the concurrent parts under the race detector, the longest first (RACE_PART=0/2 or 1/2: half of them)
	$(GO) test -race -short $(if $(filter 1/2,$(RACE_PART)),,$(RACE_APP)) $(if $(filter 0/2,$(RACE_PART)),,$(RACE_REST))

test-32bit: need-go ## pure core and gateway as a 32-bit program
	GOARCH=386 CGO_ENABLED=0 $(GO) test -short ./firmware/... ./gateway/...

test-arm: need-go ## pure core and parts of the gateway as programs of both kinds of Raspberry Pi, under qemu (qemu-user-static); all builds for other machines
	@command -v qemu-aarch64-static >/dev/null && command -v qemu-arm-static >/dev/null || { echo "missing: qemu for programs of other machines. Install it with: apt-get install qemu-user-static"; exit 1; }
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -short -exec qemu-aarch64-static -skip '$(ARM_SKIP)' $(ARM_PACKAGES)
	GOARCH=arm GOARM=6 CGO_ENABLED=0 $(GO) test -short -exec qemu-arm-static -skip '$(ARM_SKIP)' $(ARM_PACKAGES)
	MONBAN_CROSS=1 $(GO) test -count=1 -run 'TestGatewayBuilds|TestBuildsForWindows' ./docs ./server/monban-verify

footprint: need-cc ## memory of a gateway with 5,000 and 100,000 cards and its idle time with four readers (4 minutes)
	MONBAN_FOOTPRINT=1 $(GO) test -count=1 -v -timeout 15m -run 'TestFootprint' ./server/world/e2e

lock-trace: need-go ## 10,000 starts, stops and crashes of a process with locks: no unlock edge (minutes)
	MONBAN_TRACE_CYCLES=10000 $(GO) test ./gateway/hal/pi -run TestLockTrace -count=1 -v -timeout 60m

osdp-soak: need-go ## 10,000,000 mutated OSDP answers, 40 serial lines with faults at once, all attacks over serial lines (5 minutes)
	MONBAN_OSDP_FRAMES=$${MONBAN_OSDP_FRAMES:-10000000} $(GO) test -count=1 -v -timeout 60m -run 'TestMutatedFrames|TestRandomFaultSchedules|TestPollToCard|TestLostAndBack' ./firmware/osdp
	MONBAN_OSDP_LINES=$${MONBAN_OSDP_LINES:-40} $(GO) test -count=1 -v -timeout 20m -run 'TestOSDPAttacks|TestOSDPFaultSchedules' ./gateway/hal/pi

wiegand-frames: need-go ## every frame of 26 bits and 10^8 random ones of other lengths, in every format
	MONBAN_WIEGAND_FRAMES=$${MONBAN_WIEGAND_FRAMES:-100000000} $(GO) test -count=1 -v -timeout 30m -run 'TestEvery26BitFrame|TestRandomFrames' ./firmware/wiegand

fuzz: need-cc ## every fuzz target for FUZZTIME (10 s) each
	@GO="$(GO)" scripts/fuzz $(FUZZTIME)

ui: ## npm packages for the browser tests (axe-core); nothing else needs npm
	cd server/web && npm ci --ignore-scripts --no-audit --no-fund

browser: need-cc ui ## pages in a real Chromium, both languages, with axe; set-up by keyboard against the shipped programs
	MONBAN_BROWSER=1 $(GO) test -count=1 -run 'Browser' ./server/web/... ./server/world/e2e

pictures: need-cc ui ## the README's pictures of four pages
	MONBAN_PICTURES=$(CURDIR)/docs/img MONBAN_BROWSER=1 $(GO) test -count=1 -run 'TestBrowserPictures' ./server/web/

test-offline: need-cc ## every test with no way out: a network of its own that has nothing but a loopback (OP-4; root, modules downloaded before)
	$(GO) mod download
	unshare --net sh -ec 'ip link set lo up; ! ip route get 192.0.2.1 2>/dev/null; GOFLAGS=-mod=readonly GOPROXY=off $(GO) test -count=1 ./...'

sim: need-cc ## SEEDS (100) simulated days under faults, a third as many with a restored server and with zone rules, every promise checked, and 1,000 revocations; SEED=n runs one
	MONBAN_SIM_SEEDS=$(SEEDS) $(GO) test ./server/world/sim -run 'TestDays|TestRevocations' -count=1 -v $(if $(SEED),-seed $(SEED))

year: need-cc ## a made year of a city hall with 20 seeded cases and 5 near misses a kind, and one of ordinary days, at once (half an hour; 10 GB of memory, its databases in /dev/shm); writes docs/reports/year-DATE.md
	@printf '# A made year, %s\n\nCommit %s, `make year`. What it is: [ADR 0041](../adr/0041-a-made-year.md).\n\n' "$$(date +%F)" "$$(git describe --always --dirty)" > docs/reports/year-$$(date +%F).md
	MONBAN_YEAR_REPORT=$$PWD/docs/reports/year-$$(date +%F).md MONBAN_YEAR_ASKS=$${MONBAN_YEAR_ASKS:-48} MONBAN_YEAR_DAYS=$${MONBAN_YEAR_DAYS:-365} MONBAN_YEAR_STAFF=$${MONBAN_YEAR_STAFF:-110} MONBAN_YEAR_CASES=$${MONBAN_YEAR_CASES:-20} MONBAN_YEAR_NEAR=$${MONBAN_YEAR_NEAR:-5} \
		GOGC=400 GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=$${MONBAN_YEAR_TMP:-$$( [ -w /dev/shm ] && echo /dev/shm || echo $${TMPDIR:-/tmp} )} $(GO) test -count=1 -v -timeout 150m ./server/world/yeartest

flood: need-cc ## 60 s of 5,000 records a second with 20 alarms in them; then five pairs of windows of 500 decisions without and with 1,000 a second, and five with the flood
	MONBAN_FLOOD_QUEUES=$${MONBAN_FLOOD_QUEUES-$$( [ -w /dev/shm ] && echo /dev/shm )} MONBAN_FLOOD_WINDOWS=$${MONBAN_FLOOD_WINDOWS:-5} MONBAN_FLOOD_DECISIONS=$${MONBAN_FLOOD_DECISIONS:-500} MONBAN_FLOOD_SECONDS=$${MONBAN_FLOOD_SECONDS:-60} MONBAN_FLOOD_RATE=$${MONBAN_FLOOD_RATE:-5000} $(GO) test -count=1 -v -timeout 30m -run 'TestFlood' ./server/world
flood-soak: ## the flood for ten minutes (3,000,000 records; 6 GB of disk)
	MONBAN_FLOOD_SECONDS=600 MONBAN_FLOOD_WINDOWS=$${MONBAN_FLOOD_WINDOWS:-7} $(MAKE) --no-print-directory flood

alerts: need-cc ## 300 alerts from sensor to channel through real processes, then 10 kills between event and delivery
	MONBAN_ALERTS=$${MONBAN_ALERTS:-300} MONBAN_ALERT_PATH_KILLS=$${MONBAN_ALERT_PATH_KILLS:-10} $(GO) test -count=1 -v -timeout 30m -run 'TestAlertPath' ./server/world/e2e
bench-large: need-cc ## the pages of a day with 10 M leaves (3 years) over HTTP; takes 10 GB of disk
	MONBAN_PAGE_ROWS=$${MONBAN_PAGE_ROWS:-10000000} MONBAN_PAGE_DAYS=$${MONBAN_PAGE_DAYS:-1095} $(GO) test -count=1 -v -timeout 90m -run 'TestDailyPages' ./server/app

verify-large: need-cc ## verify, openings and bundle of a log with LEAVES (1,000,000) leaves: ratios to reading and hashing it, flat memory (minutes; 1.5 GB of disk a million)
	MONBAN_VERIFY_LEAVES=$${LEAVES:-1000000} $(GO) test -count=1 -v -timeout 170m -run 'TestVerifyLarge' ./server/store

bench: build ## goals as same-run ratios; writes bench.json
	bin/monban-server bench --out bench.json
bench-log: build ## append and verify over 1,000,000 leaves (some minutes, 1.5 GB)
	bin/monban-server bench --log 1000000 --out bench.json
bench-quick: build ## the short form for CI: only a miss by more than 30 % fails
	bin/monban-server bench --quick --out bench.json

sim-days: ## the form of sim for CI: 30 simulated days, 10 with a restored server and 10 with zone rules
	@$(MAKE) --no-print-directory sim SEEDS=30

power-cuts: need-cc ## 600 real power cuts on an ext4 of its own: outbox, store, policy cache; 320 more in disposal, restore, backup, checkpoint (root and loop devices needed)
	MONBAN_CUTS=$${MONBAN_CUTS:-600} $(GO) test -count=1 -v -timeout 40m -run 'TestPowerCuts' -skip 'TestPowerCutsInUpdate' ./server/world/faults
update-cuts: need-cc ## a real power cut before every step of an update, on an ext4 of its own (root and loop devices needed; 1 minute)
	MONBAN_UPDATE_STRIDE=1 $(GO) test -count=1 -v -timeout 20m -run 'TestPowerCutsInUpdate' ./server/world/faults
update-dpkg: need-go ## the server's package in and out by dpkg itself, on a copy of this system in namespaces of its own (root)
	MONBAN_DPKG=1 $(GO) test -count=1 -v -run 'TestDebian$$' ./server/upgrade

faults: need-cc ## kills of outbox, store and both sides of the link, full disks, failing I/O, damaged files
	MONBAN_KILLS=$${MONBAN_KILLS:-300} MONBAN_FILLS=$${MONBAN_FILLS:-20} MONBAN_IOFAULTS=$${MONBAN_IOFAULTS:-100} MONBAN_FLIPS=$${MONBAN_FLIPS:-5000} \
		$(GO) test -count=1 -v -timeout 40m -skip 'TestPowerCuts' ./server/world/faults

drills: need-cc ## 100 restores from a backup, 1,000 cards put back, 5 × 1,000 insider edits
	MONBAN_DRILLS=$${MONBAN_DRILLS:-100} MONBAN_CARDS=$${MONBAN_CARDS:-1000} $(GO) test -count=1 -v -timeout 40m -run 'TestRecoveryFromGateways|TestCardsPutBack' ./server/world
	MONBAN_INSIDER=$${MONBAN_INSIDER:-1000} $(GO) test -count=1 -v -timeout 40m -run 'TestInsiderMany' ./server/store
	MONBAN_DRILLS=1 $(GO) test -count=1 -v -timeout 40m -run 'TestRestoreCrashes|TestDisposalCuts' ./server/app

insider: need-cc ## somebody with the database and the log's key: 7 classes × 1,000 on a log of 5,000 leaves, found by what gateways hold (half an hour)
	MONBAN_INSIDER=$${MONBAN_INSIDER:-1000} MONBAN_INSIDER_ATTEMPTS=$${MONBAN_INSIDER_ATTEMPTS:-700} $(GO) test -count=1 -v -timeout 120m -run 'TestInsiderWithKeys' ./server/store

insider-million: need-cc ## the same, 10 of each class on a log of 1,000,000 leaves, made once (an hour, 3 GB)
	MONBAN_INSIDER=$${MONBAN_INSIDER:-10} MONBAN_INSIDER_LEAVES=$${MONBAN_INSIDER_LEAVES:-1000000} $(GO) test -count=1 -v -timeout 240m -run 'TestInsiderMillion' ./server/store

litewitness: need-cc ## a witness of another project (filippo.io/torchwood, from the module proxy; needs ssh-agent, sqlite3) takes our checkpoints
	@mkdir -p bin && GOBIN=$$PWD/bin $(GO) install filippo.io/torchwood/cmd/litewitness@v0.6.1
	MONBAN_LITEWITNESS=$$PWD/bin/litewitness $(GO) test -count=1 -v -run 'TestLitewitness' ./server/witness

backlog: need-cc ## 1 M records and what each takes in the outbox; 432,000 made without a link arrive; a server of 1 M rows starts after kill -9
	MONBAN_OUTBOX_RECORDS=$${MONBAN_OUTBOX_RECORDS:-1000000} $(GO) test -count=1 -v -timeout 20m -run 'TestBytesPerRecord' ./gateway/outbox
	MONBAN_BACKLOG=$${MONBAN_BACKLOG:-432000} $(GO) test -count=1 -v -timeout 40m -run 'TestBacklog' ./server/world
	MONBAN_ROWS=$${MONBAN_ROWS:-1000000} $(GO) test -count=1 -v -timeout 40m -run 'TestStartAfterKill' ./server/app

commands: need-cc ## 1,000 genuine commands and 40,000 hostile ones over the broker, with the times
	MONBAN_COMMANDS=$${MONBAN_COMMANDS:-1000} $(GO) test -count=1 -v -timeout 20m -run 'TestCommandsOverTheBroker' ./server/world

broken: need-cc ## plant each fault of broken/faults: a test must fail on every one (BROKEN_PART=1/4: the second quarter of them)
	MONBAN_BROKEN=$${BROKEN_PART:-all} $(GO) test -count=1 -v -timeout 30m -run 'TestBrokenBuilds' ./broken

restart: need-cc ## first decision after kill -9 with 100,000 cards; recovery cards while the server is away (2 minutes)
	MONBAN_RESTART=1 $(GO) test -count=1 -v -timeout 10m -run 'TestRecoveryWithTheServerAway' ./server/world/e2e

soak: need-cc ## the large forms: make soak PART=3/20 runs one part of 10,000 kills a side, 10,000 power cuts, …
	@GO="$(GO)" scripts/soak $(PART)
soak-report: ## merge the parts of this commit into docs/reports/soak-DATE.md
	@scripts/soak-report $(COMMIT)

mqtt: need-cc ## large forms of the MQTT tests: corpus and random packets, 100,000 records on a lossy link, 10,000 link flaps, hostile broker
	MONBAN_MQTT_SECONDS=$${MONBAN_MQTT_SECONDS:-60} $(GO) test -count=1 -v -timeout 20m -run 'Matrix|Malformed|Random|HalfOpen|Slow|Evicted' ./server/broker
	MONBAN_LOSSY=$${MONBAN_LOSSY:-100000} $(GO) test -count=1 -v -timeout 60m -run 'LossyLink' ./server/world
	MONBAN_FLAPS=$${MONBAN_FLAPS:-10000} MONBAN_RESTARTS=$${MONBAN_RESTARTS:-1000} MONBAN_HOSTILE_SECONDS=$${MONBAN_HOSTILE_SECONDS:-5} $(GO) test -count=1 -v -timeout 90m -run 'LinkFlaps|BrokerRestarts|HostileBroker|NetworkFaults' ./server/world/e2e
chaos: need-cc ## 5 minutes of faults every 2 s on real processes with 20 gateways, embedded broker and Mosquitto
	MONBAN_CHAOS=$${MONBAN_CHAOS:-300} $(GO) test -count=1 -v -timeout 60m -run 'TestChaos' ./server/world/e2e
storm: need-cc ## 500 gateways lose the server at once and come back
	MONBAN_STORM=$${MONBAN_STORM:-500} $(GO) test -count=1 -v -timeout 20m -run 'TestReconnectStorm' ./server/world

lint: need-cc ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

requirements: need-cc ## all requirement rows with owner and the tests that name them
	@$(GO) test -count=1 -run TestRequirementsTable -v ./docs | sed -n '/^ROW/s/^ROW //p'

deps: need-cc ## rewrite docs/deps: what each program links
	@GO="$(GO)" scripts/deps

check: ## what CI runs: every stage of .ci/budget.tsv, timed
	@.ci/check

clean: ## remove what was built and the demo's data
	rm -rf bin demo bench.json

.PHONY: same update-drill image-update image-accept bench-log insider-million litewitness test-arm footprint osdp-soak wiegand-frames lock-trace year flood flood-soak alerts bench-large broken need-go need-cc help build server gateway verifier gateway-amd64 gateway-arm64 gateway-armv7 gateway-armv6 run test race test-32bit fuzz ui browser sim bench bench-quick sim-days power-cuts faults drills insider backlog commands restart soak soak-report mqtt chaos storm lint requirements deps check clean
