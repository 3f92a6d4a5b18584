//! The access policy: who may do what, from a file or as it is built in.

use std::path::Path;

use access::Policy;

use super::{Check, Fault, read_file};

/// The policy this program carries.
const BUILT_IN: &str = include_str!("../../../../config/access.cedar");

impl Check {
    /// Reads the rules; `None` when they have faults.
    pub(super) fn access_policy(&mut self, path: Option<&Path>) -> Option<Policy> {
        let known = self.faults.len();
        let text = match path {
            None => BUILT_IN.to_owned(),
            Some(path) => read_file(path, "access_policy_file", &mut self.faults),
        };
        if self.faults.len() > known {
            return None;
        }
        let source = path
            .map_or_else(|| "config/access.cedar (built in)".to_owned(), |path| path.display().to_string());
        let told = |fault: access::PolicyFault| Fault {
            source,
            line: None,
            key: "the rules".to_owned(),
            value: "no access policy".to_owned(),
            remedy: fault.what,
        };
        Policy::read(&text).map_err(|fault| self.faults.push(told(fault))).ok()
    }
}
