//! The Markdown pages of a repository as one site: HTML files that open from a folder, without a server and without
//! anything of the web.

pub mod links;
pub mod markdown;
pub mod site;
