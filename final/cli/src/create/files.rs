//! What of the host's files and devices the container sees.

use std::collections::HashMap;

use bollard_stubs::models::{ContainerCreateBody, DeviceRequest, HostConfig, Mount};
use clap::Args;

use super::{empty, given};
use crate::grammar::volume::{self, Volume};
use crate::grammar::{device, key_value, mount};

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// Mount a volume or a directory of the host, SOURCE:TARGET[:ro]
    #[arg(short, long = "volume", value_name = "VOLUME", value_parser = volume::parse)]
    volumes: Vec<Volume>,
    /// The same in the long form, type=bind,source=…,target=…
    #[arg(long = "mount", value_name = "MOUNT", value_parser = mount::parse)]
    mounts: Vec<Mount>,
    /// Mount an empty file system in memory, TARGET[:OPTIONS]
    #[arg(long, value_name = "TARGET")]
    tmpfs: Vec<String>,
    /// Mount the volumes of another container
    #[arg(long, value_name = "CONTAINER[:ro]")]
    volumes_from: Vec<String>,
    /// Driver of the volumes that are made
    #[arg(long, value_name = "DRIVER")]
    volume_driver: Option<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Option of the storage, such as size=10G
    #[arg(long = "storage-opt", value_name = "OPTION", value_parser = key_value::pair)]
    storage_options: Vec<(String, String)>,
    /// Device of the host, SOURCE[:TARGET[:rwm]], or one that a vendor has described, VENDOR/CLASS=NAME
    #[arg(long = "device", value_name = "DEVICE", value_parser = device::wanted)]
    devices: Vec<device::Wanted>,
    /// Rule for devices, such as "c 1:3 rwm"
    #[arg(long = "device-cgroup-rule", value_name = "RULE", value_parser = device::cgroup_rule)]
    device_rules: Vec<String>,
}

impl Files {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, body: &mut ContainerCreateBody, host: &mut HostConfig) {
        let mut binds = Vec::new();
        let mut anonymous = HashMap::new();
        for volume in &self.volumes {
            match volume {
                Volume::Bind(bind) => binds.push(bind.clone()),
                Volume::Anonymous(target) => drop(anonymous.insert(target.clone(), empty())),
            }
        }
        host.binds = given(&binds);
        body.volumes = Some(anonymous).filter(|volumes| !volumes.is_empty());
        host.mounts = given(&self.mounts);
        let tmpfs = self.tmpfs.iter().map(|text| {
            let (target, options) = text.split_once(':').unwrap_or((text, ""));
            (target.to_owned(), options.to_owned())
        });
        host.tmpfs = Some(tmpfs.collect::<HashMap<_, _>>()).filter(|tmpfs| !tmpfs.is_empty());
        host.volumes_from = given(&self.volumes_from);
        host.volume_driver.clone_from(&self.volume_driver);
        host.readonly_rootfs = self.read_only.then_some(true);
        let options = self.storage_options.iter().cloned().collect::<HashMap<_, _>>();
        host.storage_opt = Some(options).filter(|options| !options.is_empty());
        let (mut nodes, mut names) = (Vec::new(), Vec::new());
        for wanted in &self.devices {
            match wanted {
                device::Wanted::Node(node) => nodes.push(node.clone()),
                device::Wanted::Named(name) => names.push(name.clone()),
            }
        }
        host.devices = given(&nodes);
        let request =
            |ids| DeviceRequest { driver: Some("cdi".to_owned()), device_ids: Some(ids), ..Default::default() };
        host.device_requests = given(&names).map(|names| vec![request(names)]);
        host.device_cgroup_rules = given(&self.device_rules);
    }
}
