//! Methods: what can be called, and what does each need of whoever calls it?

use access::Need;
use prost_reflect::DescriptorPool;

/// One method of one of our services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// As in the address of a call: `/anhu.v1.RegistryService/GetElder`.
    pub path: String,
    /// What it needs; `None` when `proto/` does not say, or says what nobody knows. Then nobody may call it.
    pub need: Option<Need>,
    /// Whether messages come one after the other, from either side.
    pub streams: bool,
}

/// Every method of our services.
///
/// # Panics
/// Never: the descriptors are our own, and a test reads them.
#[must_use]
pub fn methods() -> Vec<Method> {
    let Ok(pool) = DescriptorPool::decode(crate::DESCRIPTORS) else { return Vec::new() };
    let Some(option) = pool.get_extension_by_name("anhu.v1.need") else { return Vec::new() };
    let services = pool.services().filter(|service| service.package_name() == "anhu.v1");
    let of = |service: prost_reflect::ServiceDescriptor| {
        let option = option.clone();
        service
            .methods()
            .map(move |method| {
                let options = method.options();
                let need = options.get_extension(&option).as_str().and_then(Need::named);
                let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
                let streams = method.is_client_streaming() || method.is_server_streaming();
                Method { path, need, streams }
            })
            .collect::<Vec<_>>()
    };
    services.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_says_what_it_needs() {
        let methods = methods();
        assert!(methods.len() > 60, "{}", methods.len());
        let silent: Vec<_> = methods.iter().filter(|method| method.need.is_none()).collect();
        assert!(silent.is_empty(), "say in proto/ what these need, by `option (need)`: {silent:?}");
    }

    #[test]
    fn only_signing_in_needs_nothing_and_every_permission_is_of_use() {
        let methods = methods();
        let free: Vec<_> = methods.iter().filter(|method| method.need == Some(Need::Nothing)).collect();
        assert!(matches!(&free[..], [one] if one.path == "/anhu.v1.AccessService/SignIn"), "{free:?}");
        let needed: BTreeSet<_> = methods
            .iter()
            .filter_map(|method| method.need)
            .filter_map(|need| match need {
                Need::Permission(permission) => Some(permission),
                Need::Nothing | Need::SignedIn => None,
            })
            .collect();
        assert_eq!(needed.len(), access::Permission::NAMES.len());
    }
}
