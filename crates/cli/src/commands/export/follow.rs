//! `--follow`: an export, and then what is stored after it, until the command is stopped.
//!
//! A piece of lines is handed on as a whole with the position it leads to, and the position is kept after that. So nothing is
//! lost, whoever ends: what may come twice is what was handed on to standard output since the position was last kept. A
//! file is cut back to its position first, so that nothing is twice there. A server that is away is waited for.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::{
    super::{
        reach::{self, target},
        way,
    },
    position::Kept,
};
use crate::{
    args::{self, ExportFormat},
    client::{CallError, Client},
    config::settings::Settings,
    exit::{Exit, Failure},
    output,
};

const EXPORT: &str = "/export";
const TAILS: &str = "/export/tails";
/// How long an answer may take: the first one, which has everything there is, and each one after it, which ends by itself.
const TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
const TIMEOUT_AFTER: Duration = Duration::from_secs(600);
/// Between attempts at a server that is away.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// For how long a server keeps what follows: for a command that can come back, and for one that cannot.
const KEPT_SECONDS: u64 = 7 * 86_400;
const KEPT_SECONDS_HERE: u64 = 600;
/// Bytes of a line, and of lines that are held until their position comes.
const LINE_BYTES_MAX: u64 = 64 << 20;
const PIECE_BYTES: usize = 256 << 10;
const HELD_BYTES_MAX: usize = 256 << 20;
const ERROR_BYTES_MAX: u64 = 1 << 20;

/// Why there was no answer, or not all of it.
enum Trouble {
    /// It passes by itself.
    Passing(String),
    Final(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Final(error)
    }
}

/// Follows until it is stopped.
pub fn run(settings: &Settings, args: &args::Export) -> anyhow::Result<Exit> {
    if args.format != ExportFormat::Ndjson {
        return Err(Failure::error(Exit::Usage, "--follow writes ndjson; leave --format out".to_owned()));
    }
    let kept = Kept::open(args.position.as_deref())?;
    let out = Out::open(args, &kept)?;
    let mut follow = Follow { settings, args, kept, out, told: false };
    let ended = follow.run();
    if !follow.kept.outlives() {
        // Nobody comes back for it; the server lets go of it by itself, too.
        let _ = follow.end();
    }
    ended
}

/// Ends what a server keeps for a position, and removes its file.
pub fn forget(settings: &Settings, args: &args::Export) -> anyhow::Result<Exit> {
    let kept = Kept::open(args.position.as_deref())?;
    let mut follow = Follow { settings, args, kept, out: Out::Stdout, told: false };
    match follow.end() {
        Ok(()) => {}
        Err(Trouble::Passing(says)) => return Err(Failure::error(Exit::Unreachable, says)),
        Err(Trouble::Final(error)) => return Err(error),
    }
    follow.kept.forget()?;
    Ok(Exit::Success)
}

struct Follow<'f> {
    settings: &'f Settings,
    args: &'f args::Export,
    kept: Kept,
    out: Out,
    /// Whether it was said that the server is away.
    told: bool,
}

/// A server, and the parameter that names the workspace there.
struct Server {
    client: Client,
    workspace: Vec<(&'static str, String)>,
}

impl Server {
    /// What a refusal means. The operator's token is another one after a restart.
    fn refused(&self, status: u16, body: &str) -> Trouble {
        let sentence = way::sentence(body);
        match status {
            401 if !self.workspace.is_empty() => Trouble::Passing("the server was restarted".to_owned()),
            429 | 500.. => Trouble::Passing(format!("the server does not answer now: {sentence}")),
            _ => Trouble::Final(anyhow!("the server refused: {sentence}")),
        }
    }
}

impl Follow<'_> {
    fn run(&mut self) -> anyhow::Result<Exit> {
        if self.args.reach.at.url.is_none() {
            self.server().map_err(|trouble| match trouble {
                Trouble::Passing(says) => Failure::error(Exit::Unreachable, says),
                Trouble::Final(error) => error,
            })?;
        }
        let mut pause = PAUSE_MIN;
        loop {
            match self.turn() {
                Ok(()) => (pause, self.told) = (PAUSE_MIN, false),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(says)) => {
                    if !std::mem::replace(&mut self.told, true) {
                        output::talk(&format!("{says}; this is tried again until it works"));
                    }
                    thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Asks once, and takes the answer to its end.
    fn turn(&mut self) -> Result<(), Trouble> {
        let server = self.server()?;
        let tail = match &self.kept.reached.tail {
            Some(tail) => tail.clone(),
            None => {
                let tail = self.make(&server)?;
                self.kept.reached.tail = Some(tail.clone());
                self.kept.keep()?;
                tail
            }
        };
        let mut parameters = self.args.selection();
        parameters.extend(server.workspace.clone());
        match self.kept.reached.position.clone() {
            Some(position) => {
                parameters.push(("position", position));
                let answer = self.ask(&server, &target(&format!("{TAILS}/{tail}"), &parameters))?;
                self.take(answer, false)
            }
            None => {
                self.out.restart()?;
                parameters.push(("tail", tail));
                let answer = self.ask(&server, &target(EXPORT, &parameters))?;
                self.take(answer, true)?;
                match self.kept.reached.position {
                    Some(_) => Ok(()),
                    None => self.broke_off("it ended early"),
                }
            }
        }
    }

    /// The server that is named, or the one that runs over the data directory now.
    fn server(&self) -> Result<Server, Trouble> {
        let reach = &self.args.reach;
        let timeout = if self.kept.reached.position.is_some() { TIMEOUT_AFTER } else { TIMEOUT };
        if let Some(client) = reach::of_name(&reach.at, "read --name export", timeout)? {
            return Ok(Server { client, workspace: Vec::new() });
        }
        way::require_directory(self.settings)?;
        let data_dir = &self.settings.place.data_dir;
        let client = reach::over(data_dir, timeout).map_err(|_| {
            let says = format!(
                "no server runs over {}, and only a server can be followed: start `muster serve`, or name one with --url",
                data_dir.display()
            );
            Trouble::Passing(says)
        })?;
        Ok(Server { client, workspace: vec![("workspace", reach.workspace.clone())] })
    }

    /// Has the server keep what is stored from now on.
    fn make(&self, server: &Server) -> Result<String, Trouble> {
        let seconds = if self.kept.outlives() { KEPT_SECONDS } else { KEPT_SECONDS_HERE };
        let mut parameters = vec![("keptSeconds", seconds.to_string())];
        parameters.extend(server.workspace.clone());
        let answer = server.client.post(&target(TAILS, &parameters), b"", None).map_err(unanswered)?;
        if answer.status != 200 {
            return Err(server.refused(answer.status, &answer.body));
        }
        let made: Value = serde_json::from_str(&answer.body).map_err(|_| odd())?;
        made["name"].as_str().map(str::to_owned).ok_or_else(|| odd().into())
    }

    /// Ends what the server keeps, if it keeps something.
    fn end(&mut self) -> Result<(), Trouble> {
        let Some(tail) = self.kept.reached.tail.take() else { return Ok(()) };
        let server = self.server()?;
        let path = target(&format!("{TAILS}/{tail}"), &server.workspace);
        let answer = server.client.delete(&path).map_err(unanswered)?;
        match answer.status {
            204 | 404 => Ok(()),
            status => Err(server.refused(status, &answer.body)),
        }
    }

    fn ask(&self, server: &Server, path: &str) -> Result<impl Read + use<>, Trouble> {
        let (status, answer) = server.client.download(path).map_err(unanswered)?;
        if status == 200 {
            return Ok(answer);
        }
        let mut text = String::new();
        // What is left of the sentence is better than none.
        let _ = answer.take(ERROR_BYTES_MAX).read_to_string(&mut text);
        Err(server.refused(status, &text))
    }

    /// Hands on what an answer has. Lines wait for the position they lead to, unless it is the answer's last line.
    fn take(&mut self, answer: impl Read, position_is_last: bool) -> Result<(), Trouble> {
        let mut answer = BufReader::with_capacity(PIECE_BYTES, answer);
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let read = (&mut answer).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            if let Err(error) = read {
                return self.broke_off(&error.to_string());
            }
            match line.strip_suffix(b"\n") {
                None if line.is_empty() && lines.is_empty() => break,
                None if position_is_last && line.is_empty() => return self.broke_off("it ended early"),
                // What has no position comes again.
                None if line.is_empty() => break,
                None => return self.broke_off("it ended early"),
                Some(text) => match position(text) {
                    Some(position) => {
                        self.out.take(&lines)?;
                        lines.clear();
                        self.kept.advance(position, self.out.bytes());
                        if self.kept.is_due() {
                            self.keep()?;
                        }
                    }
                    None => lines.extend_from_slice(&line),
                },
            }
            if position_is_last && lines.len() >= PIECE_BYTES {
                self.out.take(&lines)?;
                lines.clear();
            }
            if lines.len() > HELD_BYTES_MAX {
                return Err(odd().into());
            }
        }
        // The next request says that we have all of it.
        self.keep()
    }

    fn keep(&mut self) -> Result<(), Trouble> {
        self.out.sync()?;
        Ok(self.kept.keep()?)
    }

    /// What to do about an answer that is not whole: an export to standard output cannot be taken back.
    fn broke_off(&mut self, why: &str) -> Result<(), Trouble> {
        let says = format!("the answer broke off ({why})");
        if self.kept.reached.position.is_none() && matches!(self.out, Out::Stdout) {
            return Err(anyhow!("{says} before the export was whole; begin again").into());
        }
        if self.kept.reached.position.is_some() {
            self.keep()?;
        }
        Err(Trouble::Passing(says))
    }
}

/// The position in a line that is one.
fn position(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(b"{\"position\":\"")?.strip_suffix(b"\"}")?;
    String::from_utf8(rest.to_vec()).ok()
}

fn unanswered(error: CallError) -> Trouble {
    match error {
        CallError::Unreachable(says) => Trouble::Passing(format!("no server answers at {says}")),
        CallError::Unusable(says) => Trouble::Final(anyhow!(says)),
    }
}

fn odd() -> anyhow::Error {
    anyhow!("the server sent what cannot be read; is it another version?")
}

/// Where lines go.
enum Out {
    Stdout,
    File { file: File, bytes: u64 },
}

impl Out {
    /// Standard output, a new file, or the file that the position speaks of, cut back to it.
    fn open(args: &args::Export, kept: &Kept) -> anyhow::Result<Out> {
        let reached = &kept.reached;
        let Some(path) = args.out.as_deref().filter(|path| *path != Path::new("-")) else {
            if reached.bytes.is_some() {
                bail!("the position is one of a file; give the file with --out");
            }
            return Ok(Out::Stdout);
        };
        if super::directory::is_meant(path)
            || matches!(path.extension().and_then(|end| end.to_str()), Some("gz" | "zst"))
        {
            let says = "--follow writes to standard output or one file that is not compressed".to_owned();
            return Err(Failure::error(Exit::Usage, says));
        }
        let says = || format!("{} cannot be written", path.display());
        let begun = reached.tail.is_some();
        if path.exists() && !begun {
            bail!("{} is there already and no position speaks of it; give another name", path.display());
        }
        if reached.position.is_some() && reached.bytes.is_none() {
            bail!("the position is one of standard output; leave --out away, or keep another position");
        }
        let bytes = reached.bytes.unwrap_or(0);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).with_context(says)?;
        if file.metadata().with_context(says)?.len() < bytes {
            bail!("{} is shorter than its position says; begin with another file and position", path.display());
        }
        file.set_len(bytes).with_context(says)?;
        file.seek(SeekFrom::End(0)).with_context(says)?;
        Ok(Out::File { file, bytes })
    }

    /// Takes back what is not whole.
    fn restart(&mut self) -> anyhow::Result<()> {
        if let Out::File { file, bytes } = self {
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).context("the file cannot be cut")?;
            *bytes = 0;
        }
        Ok(())
    }

    fn take(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Out::Stdout => output::bytes(lines),
            Out::File { file, bytes } => {
                file.write_all(lines).context("the file cannot be written")?;
                *bytes += lines.len() as u64;
                Ok(())
            }
        }
    }

    fn sync(&mut self) -> anyhow::Result<()> {
        match self {
            Out::Stdout => Ok(()),
            Out::File { file, .. } => file.sync_data().context("the file cannot be synced"),
        }
    }

    fn bytes(&self) -> Option<u64> {
        match self {
            Out::Stdout => None,
            Out::File { bytes, .. } => Some(*bytes),
        }
    }
}
