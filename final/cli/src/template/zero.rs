//! Fields without a value.
//!
//! Docker's templates work on Go structures, in which every field has a type, so an empty one prints as the zero of its type
//! and `{{if .State.Health}}` is false and not an error. JSON has no types, and the API leaves many empty fields out. The
//! table here puts back what scripts rely on; a `null` whose name is not in it is a list, as most are.

/// How a field without a value prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zero {
    /// `[]`
    List,
    /// `map[]`
    Map,
    /// `<nil>`: a pointer.
    Nil,
    /// The empty text.
    Text,
}

/// Names and types, from the API's documentation (version 1.51).
const FIELDS: &[(&str, Zero)] = &[
    // Containers.
    ("Annotations", Zero::Map),
    ("ConsoleSize", Zero::List),
    ("ContainerIDFile", Zero::Text),
    ("ExposedPorts", Zero::Map),
    ("Health", Zero::Nil),
    ("Healthcheck", Zero::Nil),
    ("Init", Zero::Nil),
    ("MacAddress", Zero::Text),
    ("MemorySwappiness", Zero::Nil),
    ("Mounts", Zero::List),
    ("OnBuild", Zero::List),
    ("PidsLimit", Zero::Nil),
    ("PortBindings", Zero::Map),
    ("Ports", Zero::Map),
    ("Shell", Zero::List),
    ("SizeRootFs", Zero::Nil),
    ("SizeRw", Zero::Nil),
    ("StopSignal", Zero::Text),
    ("StopTimeout", Zero::Nil),
    ("StorageOpt", Zero::Map),
    ("Sysctls", Zero::Map),
    ("Tmpfs", Zero::Map),
    ("Volumes", Zero::Map),
    // Mounts.
    ("BindOptions", Zero::Nil),
    ("Driver", Zero::Text),
    ("Name", Zero::Text),
    ("TmpfsOptions", Zero::Nil),
    ("VolumeOptions", Zero::Nil),
    // Images.
    ("Author", Zero::Text),
    ("Comment", Zero::Text),
    ("OsVersion", Zero::Text),
    ("Variant", Zero::Text),
    // Networks and volumes.
    ("AuxiliaryAddresses", Zero::Map),
    ("DriverOpts", Zero::Map),
    ("Gateway", Zero::Text),
    ("IPAMConfig", Zero::Nil),
    ("IPRange", Zero::Text),
    ("Labels", Zero::Map),
    ("Options", Zero::Map),
    ("UsageData", Zero::Nil),
];

impl Zero {
    /// The zero of a field of this name, if it is one that may be missing.
    pub(crate) fn of(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, zero)| *zero)
    }

    /// How it prints.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::List => "[]",
            Self::Map => "map[]",
            Self::Nil => "<nil>",
            Self::Text => "",
        }
    }
}
