//! `docker top`: the processes of a container, read from the host's `/proc` and from nowhere else. Nothing is run for it, in
//! the container or with its files (CVE-2022-1227).

use std::collections::HashMap;
use std::fs;

use bollard_stubs::models::ContainerTopResponse;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Containers;
use crate::error::{Error, Result};

/// One column: what ps(1) calls it, its title, and how it is found.
type Column = (&'static str, &'static str, fn(&Process) -> String);

const COLUMNS: [Column; 13] = [
    ("user", "UID", |process| process.user.clone()),
    ("uid", "UID", |process| process.uid.to_string()),
    ("pid", "PID", |process| process.pid.to_string()),
    ("ppid", "PPID", |process| process.parent.to_string()),
    ("c", "C", |process| process.share().to_string()),
    ("stime", "STIME", |process| process.begun()),
    ("tty", "TTY", |process| process.terminal()),
    ("time", "TIME", |process| clock(process.used)),
    ("stat", "STAT", |process| process.state.clone()),
    ("rss", "RSS", |process| process.resident_kb.to_string()),
    ("comm", "COMMAND", |process| process.name.clone()),
    ("args", "COMMAND", |process| process.command.clone()),
    ("cmd", "CMD", |process| process.command.clone()),
];

/// What `ps -ef` shows.
const FULL: [&str; 8] = ["user", "pid", "ppid", "c", "stime", "tty", "time", "cmd"];

impl Containers {
    /// The processes of a container, as the host numbers them. `arguments` are ps(1)'s: nothing or `-ef` for the usual
    /// columns, `-o pid,comm` for others.
    ///
    /// # Errors
    /// 409 when nothing runs; 400 for columns that nobody knows.
    pub async fn top(&self, name: &str, arguments: &str) -> Result<ContainerTopResponse> {
        let container = self.find(name)?;
        if !container.status().has_process() {
            return Err(container.not_running());
        }
        let columns = columns(arguments)?;
        let processes = self
            .with_cgroup(&container, |cgroup| {
                let users = users();
                let pids = cgroup.processes()?;
                // One that ends meanwhile is left out.
                Ok(pids.iter().filter_map(|pid| Process::read(pid.as_raw_nonzero().get(), &users)).collect::<Vec<_>>())
            })
            .await?;
        self.tell(&container, "top", &[]);
        let row = |process: &Process| columns.iter().map(|(_, _, show)| show(process)).collect();
        Ok(ContainerTopResponse {
            titles: Some(columns.iter().map(|(_, title, _)| (*title).to_owned()).collect()),
            processes: Some(processes.iter().map(row).collect()),
        })
    }
}

fn columns(arguments: &str) -> Result<Vec<Column>> {
    let known = |name: &str| COLUMNS.into_iter().find(|(known, ..)| *known == name);
    let mut words = arguments.split_whitespace();
    let names: Vec<&str> = match words.next() {
        None | Some("-ef" | "ef" | "-f" | "-e") => FULL.to_vec(),
        Some("-o" | "-eo" | "o") => words.flat_map(|word| word.split(',')).filter(|name| !name.is_empty()).collect(),
        Some(_) => return Err(odd(arguments)),
    };
    let found: Option<Vec<_>> = names.into_iter().map(known).collect();
    found.filter(|columns| !columns.is_empty()).ok_or_else(|| odd(arguments))
}

fn odd(arguments: &str) -> Error {
    let names = COLUMNS.map(|(name, ..)| name).join(", ");
    Error::invalid(format!("unknown ps arguments: {arguments}"))
        .hint(format!("Give -ef, or -o and some of {names}, with commas between them."))
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
struct Process {
    pid: i32,
    parent: i32,
    uid: u32,
    user: String,
    state: String,
    terminal: u32,
    used: SignedDuration,
    started: Timestamp,
    resident_kb: u64,
    name: String,
    command: String,
}

impl Process {
    /// `/proc/PID/stat`, `status` and `cmdline` (proc_pid_stat(5)).
    fn read(pid: i32, users: &HashMap<u32, String>) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let stat = read("stat")?;
        // The name is in parentheses and may contain anything, parentheses and blanks too.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let status = read("status")?;
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let uid = value("Uid:")?.split_whitespace().next()?.parse().ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            uid,
            user: users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()),
            state: (*fields.first()?).to_owned(),
            terminal: u32::try_from(number(4)?).unwrap_or(0),
            used: ticks(number(11)? + number(12)?),
            started: boot()?.checked_add(ticks(number(19)?)).ok()?,
            resident_kb: value("VmRSS:").and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0),
            name: name.to_owned(),
            command: if command.is_empty() { format!("[{name}]") } else { command },
        })
    }

    /// Processor time in percent of its life.
    fn share(&self) -> i64 {
        let life = Timestamp::now().duration_since(self.started).as_millis().max(1);
        i64::try_from(self.used.as_millis() * 100 / life).unwrap_or(0).min(99)
    }

    /// `14:05` today, `Jan02` before.
    fn begun(&self) -> String {
        let zone = TimeZone::system();
        let (then, now) = (self.started.to_zoned_datetime(zone.clone()), Timestamp::now().to_zoned_datetime(zone));
        let format = if then.date() == now.date() { "%H:%M" } else { "%b%d" };
        then.strftime(format).to_string()
    }

    /// `pts/0`, or `?` without one: major number 136 is where pseudo-terminals begin.
    fn terminal(&self) -> String {
        let (major, minor) =
            ((self.terminal >> 8) & 0xfff, (self.terminal & 0xff) | ((self.terminal >> 12) & 0xf_ff00));
        match major {
            136..=143 => format!("pts/{}", minor + (major - 136) * 256),
            _ => "?".to_owned(),
        }
    }
}

/// Clock ticks of /proc, which are hundredths of a second on every machine that Linux runs on today (`USER_HZ`).
fn ticks(ticks: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ticks.saturating_mul(10)).unwrap_or(i64::MAX))
}

/// When the machine came up (`btime` of proc_stat(5)).
fn boot() -> Option<Timestamp> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

fn clock(used: SignedDuration) -> String {
    let seconds = used.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The host's names of users.
fn users() -> HashMap<u32, String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    passwd.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_chosen_as_ps_lets_one() {
        let titles = |arguments| columns(arguments).map(|columns| columns.iter().map(|(_, title, _)| *title).collect());
        assert_eq!(titles(""), Ok(vec!["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]));
        assert_eq!(titles("-o pid,comm"), Ok(vec!["PID", "COMMAND"]));
        assert!(titles("aux").is_err() && titles("-o").is_err() && titles("-o colour").is_err());
    }

    #[test]
    fn our_own_process_is_there() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let process = Process::read(pid, &users()).unwrap();
        assert_eq!(process.parent, std::os::unix::process::parent_id().cast_signed());
        assert!(Timestamp::now().duration_since(process.started).as_secs() < 3600, "{process:?}");
        assert_eq!(process.user, "root");
        assert_eq!(clock(SignedDuration::from_secs(3725)), "01:02:05");
    }
}
