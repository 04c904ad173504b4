//! The addresses of one network interface, for listeners that are to be reached by it alone.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use if_addrs::IfAddr;

/// `EAFNOSUPPORT`: the kernel was started without this family of addresses.
pub(crate) const NO_SUCH_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();

/// An interface as it is now.
pub(crate) struct Interface {
    name: String,
    /// Each with the scope that an IPv6 address of one link needs, 0 for others.
    addresses: Vec<(IpAddr, u32)>,
}

impl Interface {
    /// Looks an interface up by its name.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let all = if_addrs::get_if_addrs().map_err(|error| format!("the system does not list its interfaces: {error}"))?;
        let own: Vec<_> = all.into_iter().filter(|interface| interface.name == name).collect();
        if own.is_empty() {
            return Err(format!("there is no interface `{name}` with an address"));
        }
        let address = |interface: if_addrs::Interface| match &interface.addr {
            IfAddr::V4(address) => (IpAddr::V4(address.ip), 0),
            IfAddr::V6(address) => {
                let is_of_link = address.ip.segments()[0] & 0xffc0 == 0xfe80;
                (IpAddr::V6(address.ip), interface.index.filter(|_| is_of_link).unwrap_or(0))
            }
        };
        Ok(Self { name: name.to_owned(), addresses: own.into_iter().map(address).collect() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where to listen when `asked` was asked for: its first address of that family for every address, `None` when it has none of it.
    ///
    /// # Errors
    /// A single address that is another interface's.
    pub(crate) fn address_for(&self, asked: SocketAddr) -> Result<Option<SocketAddr>, String> {
        let of_family = |(own, _): &&(IpAddr, u32)| own.is_ipv4() == asked.is_ipv4();
        let found = self.addresses.iter().filter(of_family).find(|(own, _)| asked.ip().is_unspecified() || *own == asked.ip());
        match found {
            Some((IpAddr::V6(own), scope)) => Ok(Some(SocketAddrV6::new(*own, asked.port(), 0, *scope).into())),
            Some((own, _)) => Ok(Some(SocketAddr::new(*own, asked.port()))),
            None if asked.ip().is_unspecified() => Ok(None),
            None => Err(format!("the interface `{}` has not the address `{}`", self.name, asked.ip())),
        }
    }
}
