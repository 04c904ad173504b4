//! Calls about the built-in users.

use hyper::Method;

use super::{Client, ClientError, percent_encode};
use crate::api::{AddUser, ChangeUser, ImportReport, ImportUsers, RemoveUser, User, UserList, UserQuery, UserReport};

impl Client {
    /// Makes a user.
    ///
    /// # Errors
    /// [`ClientError`], as for every method below.
    pub async fn add_user(&self, request: &AddUser) -> Result<UserReport, ClientError> {
        self.call(Method::POST, "/v1/users", request).await
    }

    /// Changes one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn change_user(&self, request: &ChangeUser) -> Result<UserReport, ClientError> {
        self.call(Method::POST, "/v1/user/change", request).await
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_user(&self, request: &RemoveUser) -> Result<UserReport, ClientError> {
        self.call(Method::POST, "/v1/user/remove", request).await
    }

    /// Makes many.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn import_users(&self, request: &ImportUsers) -> Result<ImportReport, ClientError> {
        self.call(Method::POST, "/v1/user/import", request).await
    }

    /// One user.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn user(&self, name: &str) -> Result<User, ClientError> {
        self.call(Method::GET, &format!("/v1/users/{}", percent_encode(name)), &()).await
    }

    /// All of them, page by page.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn users(&self) -> Result<Vec<User>, ClientError> {
        let mut all = Vec::new();
        let mut query = UserQuery::default();
        loop {
            let page: UserList = self.call(Method::GET, &self.with_query("/v1/users", &query)?, &()).await?;
            all.extend(page.users);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }
}
