//! The command from its arguments to its report.

use std::{
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use muster_server::keys::Token;

use super::{
    baseline,
    child::{self, Home, Server},
    figures::{Disk, Latency, median},
    load::{self, Sender, Sent},
    report::{self, FixedRate, Rates, Results, Workload},
    sweep, verify,
    workload::Shape,
};
use crate::{
    args,
    client::{host_of, is_loopback},
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    output::{self, Progress, Unit},
};

/// The baseline is that much faster at the least, so it gets so many more messages to make its runs as long.
const BASELINE_MESSAGES_FACTOR: u64 = 4;
/// More tell nothing new of it, however many the product gets.
const BASELINE_MESSAGES_MAX: u64 = 10_000_000;
/// Batches sent to each server before anything counts, for every connection.
const WARM_UP_BATCHES: u64 = 4;
/// How long a server that is not ours is left alone before it counts as idle.
const FOREIGN_REST: Duration = Duration::from_secs(2);
/// The file system type that lives in memory, as the system numbers it.
const TMPFS: u64 = 0x0102_1994;

/// Measures and reports.
pub fn run(settings: &Settings, config: Option<&Path>, args: &args::Bench) -> anyhow::Result<Exit> {
    if args.baseline_server {
        return baseline::run(settings);
    }
    if args.url.as_ref().is_some_and(|url| !host_of(url).is_some_and(is_loopback)) {
        return Err(Failure::error(Exit::Usage, "--url must be a loopback address: the baseline runs on this machine"));
    }
    let home = Home::new(&args.dir)?;
    if args.sweep {
        drop(home);
        return sweep::run(args, |args| measure(settings, config, args));
    }
    let results = measure_in(settings, config, args, home)?;
    if args.json {
        output::json(&results)?;
    } else {
        output::data(&results.table())?;
    }
    let holds = results.verified.as_ref().is_none_or(verify::Verified::holds);
    Ok(if holds { Exit::Success } else { Exit::Failure })
}

/// Measures one workload with servers of its own.
fn measure(settings: &Settings, config: Option<&Path>, args: &args::Bench) -> anyhow::Result<Results> {
    measure_in(settings, config, args, Home::new(&args.dir)?)
}

fn measure_in(settings: &Settings, config: Option<&Path>, args: &args::Bench, home: Home) -> anyhow::Result<Results> {
    let target = Target::find(settings, config, args, &home)?;
    Bench::new(args, target, home)?.measure()
}

/// The server under measurement.
struct Target {
    address: SocketAddr,
    token: String,
    /// Of this run; `None` when it was running already.
    own: Option<Server>,
}

impl Target {
    /// The server of `--url`, or a new one in `home`.
    fn find(settings: &Settings, config: Option<&Path>, args: &args::Bench, home: &Home) -> anyhow::Result<Target> {
        if let Some(url) = &args.url {
            return Target::running(settings, args, url);
        }
        if settings.cluster.is_some() {
            let says = "the settings name a cluster, and without --url a new data directory would be measured: name a node \
                        with --url, or take [cluster] out of the settings";
            return Err(Failure::error(Exit::Usage, says));
        }
        let token = Token::mint().reveal().to_owned();
        let server = child::start_product(home, config, &token)?;
        Ok(Target { address: server.address, token, own: Some(server) })
    }

    fn running(settings: &Settings, args: &args::Bench, url: &str) -> anyhow::Result<Target> {
        let address = child::address_of(url).with_context(|| format!("{url} must be http://ADDRESS:PORT"))?;
        let token = args.token.clone().or_else(|| std::env::var(environment::TOKEN).ok()).ok_or_else(|| {
            let data_dir = settings.place.data_dir.display();
            let says = format!(
                "no token for {url}: give one with scopes write and read in MUSTER_TOKEN or with --token; `muster keys \
                 create --scope write,read --name bench --data-dir {data_dir}` makes one"
            );
            Failure::error(Exit::Usage, says)
        })?;
        Ok(Target { address, token, own: None })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Processor time that the server ever used, if it is ours and the system tells.
    fn processor_seconds(&self) -> Option<f64> {
        self.own.as_ref().and_then(|server| child::processor_seconds(server.pid()))
    }

    /// Waits until the server has nothing left to do; how long it was busy.
    fn settle(&self) -> Duration {
        match &self.own {
            Some(server) => child::settle(server.pid()),
            None => {
                thread::sleep(FOREIGN_REST);
                Duration::ZERO
            }
        }
    }
}

struct Bench<'a> {
    args: &'a args::Bench,
    target: Target,
    baseline: Server,
    shape: Shape,
    progress: Progress,
    batches_per_round: u64,
    /// Of the baseline's runs.
    baseline_batches: u64,
    /// Removed last, when nobody is in it any more.
    home: Home,
}

/// What the alternating runs brought.
#[derive(Default)]
struct Runs {
    baseline: Vec<Sent>,
    product: Vec<Sent>,
    settling_seconds: Vec<f64>,
    /// Of the product's process, a message, what it did after the run included.
    processor_micros: Vec<f64>,
}

impl<'a> Bench<'a> {
    fn new(args: &'a args::Bench, target: Target, home: Home) -> anyhow::Result<Bench<'a>> {
        let baseline = child::start_baseline(&home)?;
        let batches_per_round = args.messages.div_ceil(u64::from(args.batch) * u64::from(args.rounds));
        let baseline_batches =
            (batches_per_round * BASELINE_MESSAGES_FACTOR).min(BASELINE_MESSAGES_MAX / u64::from(args.batch)).max(1);
        let total = (batches_per_round + baseline_batches) * u64::from(args.rounds) * u64::from(args.batch);
        let progress = Progress::new(Some(total), Unit::Messages);
        Ok(Bench { args, target, baseline, shape: shape(args), progress, batches_per_round, baseline_batches, home })
    }

    fn measure(self) -> anyhow::Result<Results> {
        let (args, target) = (self.args, &self.target);
        let reader = verify::client(&target.url(), &target.token)?;
        let stored_before = verify::stored(&reader)?;
        let mut senders = load::senders(target.address, &target.token, &self.shape, 0, args.connections)?;
        let runs = self.alternate(&mut senders)?;
        let fixed_rate = self.fixed_rate(&mut senders)?;
        let mut acknowledged: Vec<_> = senders.iter().map(Sender::acknowledged).collect();
        drop(senders);
        let lone = self.lone(&mut acknowledged)?;
        let stored = verify::stored(&reader)?.saturating_sub(stored_before);
        self.progress.note("looking for what was acknowledged");
        let verified = args.verify.then(|| verify::verify(&reader, &acknowledged, &self.shape, stored)).transpose()?;
        self.progress.finish();
        let remarks = self.remarks(&runs);
        let Runs { baseline, product, settling_seconds, processor_micros } = runs;
        let (memory_peak_bytes, disk) = self.end(stored)?;
        Ok(Results {
            version: env!("CARGO_PKG_VERSION"),
            processors: thread::available_parallelism().map_or(1, usize::from),
            workload: Workload::of(args, product.iter().map(|run| run.messages).sum()),
            ratio: report::ratio(&baseline, &product),
            baseline: Rates::of(&baseline),
            busy_answers: product.iter().map(|run| run.busy).sum(),
            product: Rates::of(&product),
            settling_seconds,
            processor_micros_per_message: (!processor_micros.is_empty()).then(|| median(&processor_micros)),
            lone,
            fixed_rate,
            disk,
            memory_peak_bytes,
            verified,
            remarks,
        })
    }

    /// Baseline and product in turns, each pair under the same weather.
    fn alternate(&self, senders: &mut [Sender]) -> anyhow::Result<Runs> {
        let Bench { args, batches_per_round, progress, .. } = self;
        let mut to_baseline =
            load::senders(self.baseline.address, &self.target.token, &self.shape, 0, args.connections)?;
        let warm_up = WARM_UP_BATCHES * u64::from(args.connections);
        for senders in [&mut to_baseline[..], &mut senders[..]] {
            load::run(senders, warm_up, args.batch, progress)?;
        }
        let mut runs = Runs::default();
        for round in 1..=args.rounds {
            self.target.settle();
            progress.note(format!("round {round} of {}: baseline", args.rounds));
            load::connect_anew(&mut to_baseline)?;
            runs.baseline.push(load::run(&mut to_baseline, self.baseline_batches, args.batch, progress)?);
            progress.note(format!("round {round} of {}: product", args.rounds));
            load::connect_anew(senders)?;
            let before = self.target.processor_seconds();
            let sent = load::run(senders, *batches_per_round, args.batch, progress)?;
            runs.settling_seconds.push(self.target.settle().as_secs_f64());
            if let (Some(before), Some(after)) = (before, self.target.processor_seconds()) {
                runs.processor_micros.push((after - before) * 1e6 / sent.messages.max(1) as f64);
            }
            runs.product.push(sent);
        }
        Ok(runs)
    }

    /// An open loop at the rate asked for, against a server at rest.
    fn fixed_rate(&self, senders: &mut [Sender]) -> anyhow::Result<Option<FixedRate>> {
        let Some(rate) = self.args.rate else { return Ok(None) };
        self.target.settle();
        self.progress.note(format!("{rate} messages a second for {} seconds", self.args.rate_seconds));
        let (sent, micros) = load::at_rate(senders, (rate, self.args.rate_seconds), self.args.batch)?;
        let latency = Latency::of(&micros).context("nothing was sent at the fixed rate")?;
        Ok(Some(FixedRate {
            asked_per_second: rate,
            reached_per_second: sent.per_second(),
            busy_answers: sent.busy,
            latency,
        }))
    }

    /// One message a request on one connection, against a server at rest.
    fn lone(&self, acknowledged: &mut Vec<verify::Acknowledged>) -> anyhow::Result<Option<Latency>> {
        if self.args.lone == 0 {
            return Ok(None);
        }
        self.progress.note("single messages");
        let shape = Shape { batch: 1, duplicates: 0, ..self.shape.clone() };
        let mut senders = load::senders(self.target.address, &self.target.token, &shape, self.args.connections, 1)?;
        let sender = senders.first_mut().context("one sender was asked for")?;
        let micros = load::one_by_one(sender, self.args.lone)?;
        acknowledged.push(sender.acknowledged());
        Ok(Latency::of(&micros))
    }

    fn remarks(&self, runs: &Runs) -> Vec<String> {
        let mut remarks = Vec::new();
        let busy: u64 = runs.product.iter().map(|run| run.busy).sum();
        if busy > 0 {
            remarks.push(format!("The server turned {busy} requests away for a moment; they were sent again."));
        }
        let short = runs.product.iter().chain(&runs.baseline).any(|run| run.seconds < 0.5);
        if short {
            remarks.push("Some runs took less than half a second; more --messages give steadier figures.".to_owned());
        }
        if self.target.own.is_none() {
            remarks.push("Disk and memory were not measured: the server is not one of this run's own.".to_owned());
        } else if rustix::fs::statfs(&self.args.dir).is_ok_and(|about| about.f_type as u64 == TMPFS) {
            remarks.push(
                "The data directory is in memory, where a sync costs nothing; choose a disk with --dir.".to_owned(),
            );
        }
        remarks
    }

    /// Stops the servers; what one of ours took of memory and disk.
    fn end(self, stored: u64) -> anyhow::Result<(Option<u64>, Option<Disk>)> {
        let Some(server) = self.target.own else { return Ok((None, None)) };
        let memory = child::memory_peak_bytes(server.pid());
        let status = server.stop()?;
        if !status.success() {
            bail!("the server did not stop in order: {status}");
        }
        Ok((memory, Some(Disk::of(&self.home.data_dir(), stored))))
    }
}

/// The shape of this run: timestamps end about now, ids are its own.
fn shape(args: &args::Bench) -> Shape {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nonce = now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 48);
    let per_connection = args.messages / u64::from(args.connections);
    let span = match args.days {
        0 => Shape::span_millis(per_connection * 2),
        days => u64::from(days) * 86_400_000,
    };
    Shape {
        mix: args.mix,
        message_bytes: args.message_bytes,
        days: args.days,
        accounts: args.accounts,
        users: args.users,
        batch: args.batch,
        duplicates: args.duplicates,
        nonce,
        start_millis: (now.as_millis() as u64).saturating_sub(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_not_measured() {
        let settings = Settings::load(crate::config::layers::Sources {
            flags: crate::config::layers::Flags::default(),
            environment: vec![],
            directory: "/nowhere".into(),
        })
        .unwrap();
        use clap::Parser;
        let cli =
            args::Cli::try_parse_from(["muster", "bench", "--url", "http://192.0.2.1:80", "--token", "t"]).unwrap();
        let Some(args::Command::Bench(args)) = cli.command else { panic!() };
        let error = run(&settings, None, &args).err().unwrap();
        assert_eq!(crate::exit::of(&error), Exit::Usage);
    }
}
