//! The chapter against the real kernel, as root. Each test has a network namespace of its own as "the host", which ends with
//! it: nothing on the machine is touched.

mod attach;
mod drivers;
mod isolation;
#[cfg(test)]
mod lab;
mod publish;
