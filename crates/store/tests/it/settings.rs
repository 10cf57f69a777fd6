//! Settings.

use munjigi_store::{ReadTx, each_backend, settings};

use crate::sample::*;

each_backend! {
    async fn a_setting_is_set_and_set_again(database) {
        let store = database.store().await;
        let find = |tx: &mut ReadTx<'_>| settings::find(tx, "access_ttl");
        assert_eq!(read(&store, find).await, None);
        assert_eq!(read(&store, settings::all).await, []);
        let put = async |name: &'static str, json: &'static str| {
            moves_reference(&store, move |tx| settings::put(tx, name, json, at(1))).await
        };
        assert!(put("registration", "\"open\"").await);
        assert!(put("access_ttl", "\"10m\"").await);
        assert!(put("access_ttl", "\"5m\"").await);
        assert_eq!(read(&store, find).await.as_deref(), Some("\"5m\""));
        let pair = |name: &str, json: &str| (name.to_owned(), json.to_owned());
        let all = [pair("access_ttl", "\"5m\""), pair("registration", "\"open\"")];
        assert_eq!(read(&store, settings::all).await, all);
    }
}
