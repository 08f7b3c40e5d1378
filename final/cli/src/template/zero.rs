//! Fields without a value.
//!
//! Docker's templates work on Go structures, in which every field has a type, so an empty one prints as the zero of its type
//! and `{{if .State.Health}}` is false and not an error. JSON has no types, and the API leaves many empty fields out. The
//! lists here, from the API's documentation (version 1.51), put back what scripts rely on; a `null` whose name is in none of
//! them is a list, as most are.

/// How a field without a value prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zero {
    /// `[]`
    List,
    /// `map[]`
    Map,
    /// `<nil>`: a pointer.
    Nil,
    /// `<no value>`: what a map lacks.
    Absent,
    /// The empty text.
    Text,
    /// `0`
    Number,
    /// `false`
    False,
}

const LISTS: &str = "\
    Aliases Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps \
    BlkioWeightDevice CapAdd CapDrop Cmd ConsoleSize DNSNames DeviceCgroupRules DeviceRequests Devices Dns \
    DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts GroupAdd Links MaskedPaths Mounts OnBuild \
    ReadonlyPaths RepoDigests RepoTags SecurityOpt Shell Ulimits VolumesFrom Warnings";

const MAPS: &str = "\
    Annotations AuxiliaryAddresses DriverOpts ExposedPorts Labels Options PortBindings Ports StorageOpt \
    Sysctls Tmpfs Volumes";

const NILS: &str = "\
    BindOptions Health Healthcheck IPAMConfig Init MemorySwappiness PidsLimit Platform SizeRootFs SizeRw \
    StopTimeout \
    TmpfsOptions UsageData VolumeOptions";

const TEXTS: &str = "\
    AppArmorProfile Author CgroupParent Cgroup Comment ContainerIDFile CpusetCpus CpusetMems Domainname \
    Driver Error Gateway GlobalIPv6Address HostIp HostPort Hostname IPAddress IPRange IPv6Gateway IpcMode \
    Isolation LastTagTime MacAddress Name OsVersion PidMode Runtime StopSignal UTSMode User UsernsMode Variant \
    VolumeDriver WorkingDir";

const NUMBERS: &str = "\
    BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares ExitCode \
    GlobalIPv6PrefixLen IPPrefixLen MaximumRetryCount Memory MemoryReservation MemorySwap NanoCpus \
    OomScoreAdj Pid RestartCount ShmSize";

const BOOLEANS: &str = "\
    Attachable AttachStderr AttachStdin AttachStdout AutoRemove Dead EnableIPv6 Ingress Internal OOMKilled \
    OomKillDisable OpenStdin Paused Privileged PublishAllPorts ReadonlyRootfs Restarting Running StdinOnce \
    Tty";

impl Zero {
    /// The zero of a field of this name, if it is one that may be missing.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let all = [
            (LISTS, Self::List),
            (MAPS, Self::Map),
            (NILS, Self::Nil),
            (TEXTS, Self::Text),
            (NUMBERS, Self::Number),
            (BOOLEANS, Self::False),
        ];
        all.into_iter().find(|(names, _)| names.split(' ').any(|known| known == name)).map(|(_, zero)| zero)
    }

    /// How it prints.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::List => "[]",
            Self::Map => "map[]",
            Self::Nil => "<nil>",
            Self::Absent => "<no value>",
            Self::Text => "",
            Self::Number => "0",
            Self::False => "false",
        }
    }
}
