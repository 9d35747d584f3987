//! What so many nodes, lanes and servers carry, by simulation: `cargo bench -p muster-cluster --bench scale`.
//!
//! Batches arrive at random, in workspaces of which some send far more than others, and go the way that they go in a cluster: one
//! node takes a batch, every node of the stream keeps it, and the lane's thread folds whatever is ready in by one transaction at a
//! time, during which one process of PostgreSQL works for it. Processors of a machine are shared by all that has work there. What each step
//! takes was measured by `scripts/roles`; `docs/scale.md` quotes what comes out. Senders are refused as by a node: as soon as what they
//! sent waits too long. Disks and networks are taken to be quick enough, and a message to cost the same however many there are.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Microseconds of a processor for one message, as measured (medians of `scripts/roles --messages 150000`, 100 messages a batch).
#[derive(Clone, Copy)]
struct Costs {
    intake: f64,
    /// On every node of the stream.
    stream: f64,
    apply: f64,
    postgresql: f64,
}
const ONE_WORKSPACE: Costs = Costs { intake: 2.5, stream: 3.6, apply: 9.6, postgresql: 90.8 };
const EIGHT_WORKSPACES: Costs = Costs { intake: 2.9, stream: 4.1, apply: 10.7, postgresql: 98.2 };
/// The same for one page that is read.
const PAGE_CONSOLE: f64 = 960.0;
const PAGE_POSTGRESQL: f64 = 1_085.0;

/// Processors that others left to the measured ones.
const ONE_LEFT: f64 = 0.58;
const EIGHT_LEFT: f64 = 0.93;

/// How long is simulated.
const SECONDS: f64 = 60.0;
const BATCH: f64 = 100.0;
/// Batches of one transaction: 2 MiB.
const GROUP_MAX: usize = 80;
/// A lane in which something waits for longer takes nothing.
const WAIT_MAX: f64 = 5e6;
/// Copies of each message, and how many of them have to have it.
const COPIES: usize = 3;
const MAJORITY: usize = 2;
/// Microseconds of one step, and of one way over the network.
const STEP: f64 = 200.0;
const NETWORK: f64 = 200.0;

/// What is simulated.
struct Setup {
    name: &'static str,
    costs: Costs,
    /// Messages a second that are sent, and pages a second that are read.
    rate: f64,
    pages: f64,
    workspaces: usize,
    /// A workspace sends as much as the first one divided by its place to this power.
    skew: f64,
    intake: Nodes,
    apply: Nodes,
    console: Nodes,
    /// Clusters of NATS, three nodes each, that lanes are shared out to.
    stream: Nodes,
    /// PostgreSQLs that workspaces are shared out to; today there is one.
    postgresql: Nodes,
    lanes: usize,
    /// All of it is on one machine, of which so many processors are left by others.
    together: Option<f64>,
}

/// So many of a kind, each with so many processors.
#[derive(Clone, Copy)]
struct Nodes(usize, f64);

/// What works on something.
struct Machine {
    kind: &'static str,
    processors: f64,
    tasks: Vec<Task>,
    used: f64,
}

struct Task {
    left: f64,
    then: Then,
}

/// What follows when a task is done.
#[derive(Clone, Copy)]
enum Then {
    Taken(usize),
    Kept(usize),
    Applied(usize),
    FoldedIn(usize),
    Answered,
}

struct Batch {
    lane: usize,
    arrived_at: f64,
    kept: usize,
}

#[derive(Default)]
struct Lane {
    waits: VecDeque<usize>,
    group: Vec<usize>,
    busy: f64,
}

struct World {
    costs: Costs,
    machines: Vec<Machine>,
    intake: Vec<usize>,
    apply: Vec<usize>,
    console: Vec<usize>,
    stream: Vec<usize>,
    postgresql: Vec<usize>,
    batches: Vec<Batch>,
    lanes: Vec<Lane>,
    now: f64,
    refused: usize,
    folded: usize,
    answered_after: Vec<f64>,
    visible_after: Vec<f64>,
}

impl World {
    fn new(setup: &Setup) -> World {
        let mut machines = Vec::new();
        let together = setup.together.map(|processors| place(&mut machines, "all", Nodes(1, processors))[0]);
        let mut places = |kind, nodes: Nodes| match together {
            Some(at) => vec![at; nodes.0],
            None => place(&mut machines, kind, nodes),
        };
        let stream = Nodes(setup.stream.0 * COPIES, setup.stream.1);
        World {
            costs: setup.costs,
            intake: places("intake", setup.intake),
            apply: places("apply", setup.apply),
            console: places("console", setup.console),
            stream: places("NATS", stream),
            postgresql: places("PostgreSQL", setup.postgresql),
            machines,
            batches: Vec::new(),
            lanes: (0..setup.lanes).map(|_| Lane::default()).collect(),
            now: 0.0,
            refused: 0,
            folded: 0,
            answered_after: Vec::new(),
            visible_after: Vec::new(),
        }
    }

    fn begin(&mut self, machine: usize, work: f64, then: Then) {
        self.machines[machine].tasks.push(Task { left: work, then });
    }

    /// A batch for a lane arrives.
    fn arrive(&mut self, lane: usize) {
        let oldest = self.lanes[lane].group.first().or(self.lanes[lane].waits.front());
        if oldest.is_some_and(|oldest| self.now - self.batches[*oldest].arrived_at > WAIT_MAX) {
            self.refused += 1;
            return;
        }
        let batch = self.batches.len();
        self.batches.push(Batch { lane, arrived_at: self.now, kept: 0 });
        let machine = self.intake[batch % self.intake.len()];
        self.begin(machine, self.costs.intake * BATCH, Then::Taken(batch));
    }

    fn read(&mut self, number: usize) {
        let (console, postgresql) =
            (self.console[number % self.console.len()], self.postgresql[number % self.postgresql.len()]);
        self.begin(console, PAGE_CONSOLE, Then::Answered);
        self.begin(postgresql, PAGE_POSTGRESQL, Then::Answered);
    }

    /// Every machine works for a step.
    fn work(&mut self) {
        let mut done = Vec::new();
        for machine in &mut self.machines {
            let share = STEP * (machine.processors / machine.tasks.len().max(1) as f64).min(1.0);
            let used = &mut machine.used;
            machine.tasks.retain_mut(|task| {
                *used += task.left.min(share);
                task.left -= share;
                if task.left <= 0.0 {
                    done.push(task.then);
                }
                task.left > 0.0
            });
        }
        self.now += STEP;
        done.into_iter().for_each(|then| self.follow(then));
        (0..self.lanes.len()).for_each(|lane| self.fold(lane));
    }

    fn follow(&mut self, then: Then) {
        match then {
            Then::Taken(batch) => {
                let first = self.batches[batch].lane * COPIES % self.stream.len();
                for copy in 0..COPIES {
                    self.begin(self.stream[first + copy], self.costs.stream * BATCH, Then::Kept(batch));
                }
            }
            Then::Kept(batch) => {
                let (now, known) = (self.now, &mut self.batches[batch]);
                known.kept += 1;
                if known.kept == MAJORITY {
                    self.answered_after.push(now - known.arrived_at + 4.0 * NETWORK);
                    self.lanes[known.lane].waits.push_back(batch);
                }
            }
            Then::Applied(lane) => {
                let machine = self.postgresql[lane % self.postgresql.len()];
                let messages = self.lanes[lane].group.len() as f64 * BATCH;
                self.begin(machine, self.costs.postgresql * messages, Then::FoldedIn(lane));
            }
            Then::FoldedIn(lane) => {
                for batch in std::mem::take(&mut self.lanes[lane].group) {
                    self.folded += 1;
                    self.visible_after.push(self.now - self.batches[batch].arrived_at + 6.0 * NETWORK);
                }
            }
            Then::Answered => {}
        }
    }

    /// Has a lane at rest fold in whatever is ready.
    fn fold(&mut self, at: usize) {
        let machine = self.apply[at % self.apply.len()];
        let lane = &mut self.lanes[at];
        if lane.group.is_empty() && !lane.waits.is_empty() {
            let many = lane.waits.len().min(GROUP_MAX);
            lane.group = lane.waits.drain(..many).collect();
            let work = self.costs.apply * BATCH * many as f64;
            self.begin(machine, work, Then::Applied(at));
        }
        if !self.lanes[at].group.is_empty() {
            self.lanes[at].busy += STEP;
        }
    }

    /// How much of its time the busiest of each kind works.
    fn busy(&self) -> Vec<(&'static str, f64)> {
        let mut busy: Vec<(&'static str, f64)> = Vec::new();
        for machine in &self.machines {
            let used = machine.used / machine.processors / self.now;
            match busy.iter_mut().find(|(kind, _)| *kind == machine.kind) {
                Some((_, known)) => *known = known.max(used),
                None => busy.push((machine.kind, used)),
            }
        }
        let lanes = self.lanes.iter().map(|lane| lane.busy / self.now).fold(0.0, f64::max);
        busy.push(("a lane", lanes));
        busy
    }
}

fn place(machines: &mut Vec<Machine>, kind: &'static str, Nodes(many, processors): Nodes) -> Vec<usize> {
    let first = machines.len();
    machines.extend((0..many).map(|_| Machine { kind, processors, tasks: Vec::new(), used: 0.0 }));
    (first..machines.len()).collect()
}

/// Which lane the next batch is for: a workspace at random, and the lane that it is in.
struct Workspaces(Vec<f64>);

impl Workspaces {
    fn new(many: usize, skew: f64) -> Workspaces {
        let mut sum = 0.0;
        let upto = |place: usize| {
            sum += (place as f64).powf(-skew);
            sum
        };
        Workspaces((1..=many).map(upto).collect())
    }

    fn choose(&self, lanes: usize, rng: &mut StdRng) -> usize {
        let all = self.0.last().copied().unwrap_or(1.0);
        let at = rng.random_range(0.0..all);
        let workspace = self.0.partition_point(|upto| *upto <= at) as u64 + 1;
        // As the engine does it.
        let mixed = workspace.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) % lanes as u64) as usize
    }
}

/// Simulates so many seconds.
fn simulate(setup: &Setup, seconds: f64) -> World {
    let mut rng = StdRng::seed_from_u64(1);
    let mut world = World::new(setup);
    let workspaces = Workspaces::new(setup.workspaces, setup.skew);
    let pause = |rate: f64, rng: &mut StdRng| -rng.random_range(f64::MIN_POSITIVE..1.0).ln() / rate * 1e6;
    let (mut batch_at, mut page_at, mut pages) = (0.0, if setup.pages > 0.0 { 0.0 } else { f64::MAX }, 0);
    while world.now < seconds * 1e6 {
        while batch_at <= world.now {
            let lane = workspaces.choose(setup.lanes, &mut rng);
            world.arrive(lane);
            batch_at += pause(setup.rate / BATCH, &mut rng);
        }
        while page_at <= world.now {
            world.read(pages);
            pages += 1;
            page_at += pause(setup.pages, &mut rng);
        }
        world.work();
    }
    world
}

fn percentile(sorted: &[f64], part: f64) -> f64 {
    sorted.get((sorted.len() as f64 * part) as usize).or(sorted.last()).copied().unwrap_or(f64::NAN) / 1e3
}

fn report(setup: &Setup, seconds: f64) {
    let mut world = simulate(setup, seconds);
    let busy = world.busy();
    for after in [&mut world.answered_after, &mut world.visible_after] {
        after.sort_by(f64::total_cmp);
    }
    let second = 1e6 / world.now;
    let refused = world.refused as f64 / (world.batches.len() + world.refused) as f64;
    print!(
        "{:<34} {:>9.0} {:>9.0} {:>5.0} % {:>7.1} {:>8.1} {:>8.0} {:>8.0} ",
        setup.name,
        setup.rate,
        world.folded as f64 * BATCH * second,
        refused * 100.0,
        percentile(&world.answered_after, 0.5),
        percentile(&world.answered_after, 0.99),
        percentile(&world.visible_after, 0.5),
        percentile(&world.visible_after, 0.99),
    );
    let shown: Vec<String> = busy.iter().map(|(kind, part)| format!("{kind} {:.0} %", part * 100.0)).collect();
    println!(" {}", shown.join(", "));
}

/// A cluster with machines of its own for everything, and workspaces as they are: many, a few of them large.
const SPREAD: Setup = Setup {
    name: "",
    costs: EIGHT_WORKSPACES,
    rate: 0.0,
    pages: 20.0,
    workspaces: 2_000,
    skew: 0.6,
    intake: Nodes(2, 2.0),
    apply: Nodes(2, 2.0),
    console: Nodes(2, 4.0),
    stream: Nodes(1, 4.0),
    postgresql: Nodes(1, 8.0),
    lanes: 4,
    together: None,
};
/// One machine for everything, as it was measured; more is sent than it takes.
const MEASURED: Setup = Setup {
    rate: 8_000.0,
    pages: 0.0,
    workspaces: 1,
    intake: Nodes(1, 0.0),
    apply: Nodes(1, 0.0),
    console: Nodes(1, 0.0),
    skew: 0.0,
    ..SPREAD
};

fn setups() -> Vec<Setup> {
    let own = |name, rate, lanes, (databases, processors): (usize, f64)| Setup {
        name,
        rate,
        lanes,
        postgresql: Nodes(databases, processors),
        ..SPREAD
    };
    let large = |many: usize, setup: Setup| Setup {
        intake: Nodes(many, 4.0),
        apply: Nodes(many, 8.0),
        console: Nodes(4, 8.0),
        stream: Nodes(many, 8.0),
        pages: 200.0,
        ..setup
    };
    vec![
        Setup { name: "measured: one workspace", costs: ONE_WORKSPACE, together: Some(ONE_LEFT), ..MEASURED },
        Setup { name: "measured: eight workspaces", workspaces: 8, together: Some(EIGHT_LEFT), ..MEASURED },
        own("4 lanes, 8 processors", 10_000.0, 4, (1, 8.0)),
        own("4 lanes, 8 processors", 30_000.0, 4, (1, 8.0)),
        own("16 lanes, 8 processors", 30_000.0, 16, (1, 8.0)),
        own("64 lanes, 16 processors", 120_000.0, 64, (1, 16.0)),
        large(1, own("64 lanes, 32 processors", 350_000.0, 64, (1, 32.0))),
        large(2, own("64 lanes, 64 processors", 350_000.0, 64, (1, 64.0))),
        large(4, own("256 lanes, 64 processors", 1_000_000.0, 256, (1, 64.0))),
        large(4, own("256 lanes, 2 x 64 processors", 1_000_000.0, 256, (2, 64.0))),
        Setup { skew: 0.0, ..large(4, own("the same, workspaces alike", 1_000_000.0, 256, (2, 64.0))) },
    ]
}

fn main() {
    println!(
        "{:<34} {:>9} {:>9} {:>7} {:>7} {:>8} {:>8} {:>8}  busy",
        "set-up", "sent/s", "folded/s", "refused", "200 ms", "p99 ms", "seen ms", "p99 ms"
    );
    for setup in setups() {
        report(&setup, SECONDS);
    }
}
