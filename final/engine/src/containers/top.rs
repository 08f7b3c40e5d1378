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

const COLUMNS: [Column; 19] = [
    ("UID", "UID", |process| process.user.clone()),
    ("user", "USER", |process| process.user.clone()),
    ("uid", "UID", |process| process.uid.to_string()),
    ("pid", "PID", |process| process.pid.to_string()),
    ("ppid", "PPID", |process| process.parent.to_string()),
    ("c", "C", |process| (process.per_mille() / 10).min(99).to_string()),
    ("stime", "STIME", |process| process.begun()),
    ("tty", "TTY", |process| process.terminal()),
    ("time", "TIME", |process| clock(process.used)),
    ("stat", "STAT", |process| process.state.clone()),
    ("rss", "RSS", |process| process.resident_kb.to_string()),
    ("comm", "COMMAND", |process| process.name.clone()),
    ("args", "COMMAND", |process| process.command.clone()),
    ("cmd", "CMD", |process| process.command.clone()),
    ("%cpu", "%CPU", |process| tenths(process.per_mille())),
    ("%mem", "%MEM", |process| tenths(process.resident_kb * 1000 / memory_kb().max(1))),
    ("vsz", "VSZ", |process| process.size_kb.to_string()),
    ("start", "START", |process| process.begun()),
    ("bsdtime", "TIME", |process| minutes(process.used)),
];

/// What `ps -ef` shows.
const FULL: [&str; 8] = ["UID", "pid", "ppid", "c", "stime", "tty", "time", "cmd"];
/// What `ps aux` shows.
const USERS: [&str; 11] = ["user", "pid", "%cpu", "%mem", "vsz", "rss", "tty", "stat", "start", "bsdtime", "args"];

impl Containers {
    /// The processes of a container, as the host numbers them. `arguments` are ps(1)'s: nothing or `-ef` for the usual
    /// columns, `aux` for those with memory, `-o pid,comm` for others, `--sort=comm` for their order.
    ///
    /// # Errors
    /// 409 when nothing runs; 400 for columns that nobody knows.
    pub async fn top(&self, name: &str, arguments: &str) -> Result<ContainerTopResponse> {
        let container = self.find(name)?;
        if !container.status().has_process() {
            return Err(container.not_running());
        }
        let wish = Wish::parse(arguments)?;
        let processes = self
            .with_cgroup(&container, |cgroup| {
                let users = users();
                let pids = cgroup.processes()?;
                // One that ends meanwhile is left out.
                Ok(pids.iter().filter_map(|pid| Process::read(pid.as_raw_nonzero().get(), &users)).collect::<Vec<_>>())
            })
            .await?;
        self.tell(&container, "top", &[]);
        Ok(ContainerTopResponse {
            titles: Some(wish.columns.iter().map(|(_, title, _)| (*title).to_owned()).collect()),
            processes: Some(wish.rows(&processes)),
        })
    }
}

/// What ps(1) is asked for, of all that it can be asked.
#[derive(Debug)]
struct Wish {
    columns: Vec<Column>,
    /// The column that the rows are in the order of, and whether the largest comes first.
    order: Option<(Column, bool)>,
}

impl Wish {
    fn parse(arguments: &str) -> Result<Self> {
        let known = |name: &str| COLUMNS.into_iter().find(|(known, ..)| *known == name).ok_or_else(|| odd(arguments));
        let (mut names, mut order) = (FULL.to_vec(), None);
        let mut words = arguments.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if let Some(key) = word.strip_prefix("--sort") {
                let key = key.strip_prefix('=').or_else(|| words.next()).unwrap_or_default();
                order = Some((known(key.trim_start_matches(['+', '-']))?, key.starts_with('-')));
                continue;
            }
            let letters = word.trim_start_matches('-');
            names = match letters.strip_suffix('o') {
                Some(before) if is_all(before, "aeAx") => {
                    let list = |word: &&str| !word.starts_with('-');
                    let mut names = Vec::new();
                    while let Some(word) = words.next_if(list) {
                        names.extend(word.split(',').filter(|name| !name.is_empty()));
                    }
                    names
                }
                _ if is_all(letters, "aeAx") => names,
                // The letter alone is of the two kinds of ps: `aux` and `-aux` are the same here, `-u` is another matter.
                _ if is_all(letters, "aeAxfww") => FULL.to_vec(),
                _ if is_all(letters, "aAxuw") && word != "-u" => USERS.to_vec(),
                _ => return Err(odd(arguments)),
            };
        }
        let columns = names.into_iter().map(known).collect::<Result<Vec<_>>>()?;
        if columns.is_empty() { Err(odd(arguments)) } else { Ok(Self { columns, order }) }
    }

    /// The rows of a table, in order.
    fn rows(&self, processes: &[Process]) -> Vec<Vec<String>> {
        let mut processes: Vec<&Process> = processes.iter().collect();
        if let Some(((.., show), backwards)) = self.order {
            // Numbers as such, words by their letters.
            processes.sort_by(|one, other| {
                let (one, other) = (show(one), show(other));
                match (one.parse::<f64>(), other.parse::<f64>()) {
                    (Ok(one), Ok(other)) => one.total_cmp(&other),
                    _ => one.cmp(&other),
                }
            });
            if backwards {
                processes.reverse();
            }
        }
        let row = |process: &&Process| self.columns.iter().map(|(_, _, show)| show(process)).collect();
        processes.iter().map(row).collect()
    }
}

/// Whether a word has letters of `set` only, and some.
fn is_all(word: &str, set: &str) -> bool {
    word.chars().all(|letter| set.contains(letter))
}

fn odd(arguments: &str) -> Error {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).filter(|name| *name != "UID").collect();
    Error::invalid(format!("unknown ps arguments: {arguments}"))
        .hint(format!("Give -ef, aux, or -o and some of {}, with commas between them.", names.join(", ")))
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
    size_kb: u64,
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
        let kb = |key| value(key).and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
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
            resident_kb: kb("VmRSS:"),
            size_kb: kb("VmSize:"),
            name: name.to_owned(),
            command: if command.is_empty() { format!("[{name}]") } else { command },
        })
    }

    /// Processor time in thousandths of its life.
    fn per_mille(&self) -> u64 {
        let life = Timestamp::now().duration_since(self.started).as_millis().max(1);
        u64::try_from(self.used.as_millis() * 1000 / life).unwrap_or(0)
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

/// `1:05`, minutes and seconds.
fn minutes(used: SignedDuration) -> String {
    format!("{}:{:02}", used.as_secs() / 60, used.as_secs() % 60)
}

/// `1.5` for 15 thousandths.
fn tenths(thousandths: u64) -> String {
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

/// The machine's memory (proc_meminfo(5)).
fn memory_kb() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
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
        let titles = |arguments| {
            Wish::parse(arguments).map(|wish| wish.columns.iter().map(|(_, title, _)| *title).collect::<Vec<_>>())
        };
        assert_eq!(titles(""), Ok(vec!["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]));
        assert_eq!(titles("-o pid,comm"), Ok(vec!["PID", "COMMAND"]));
        assert_eq!(titles("-eo user,%cpu"), Ok(vec!["USER", "%CPU"]));
        let aux = vec!["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"];
        assert_eq!((titles("aux"), titles("-aux --sort -pid")), (Ok(aux.clone()), Ok(aux)));
        for wrong in ["-o", "-o colour", "--sort=colour", "-u root", "-Z", "-p 1"] {
            assert!(titles(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_are_sorted_by_what_a_column_shows() {
        let own = Process::read(i32::try_from(std::process::id()).unwrap(), &users()).unwrap();
        let process = |pid, name: &str| Process { pid, name: name.to_owned(), ..own.clone() };
        let all = [process(9, "top"), process(10, "cat"), process(8, "sh")];
        let pids = |arguments: &str| Wish::parse(arguments).unwrap().rows(&all).concat().join(" ");
        assert_eq!(pids("-o pid"), "9 10 8");
        assert_eq!((pids("-o pid --sort=pid"), pids("-o pid --sort=-pid")), ("8 9 10".into(), "10 9 8".into()));
        assert_eq!(pids("-o pid --sort comm"), "10 8 9");
        assert_eq!((tenths(15), minutes(SignedDuration::from_secs(65))), ("1.5".to_owned(), "1:05".to_owned()));
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
