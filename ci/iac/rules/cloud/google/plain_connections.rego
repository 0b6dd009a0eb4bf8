# METADATA
# title: Caches and functions take no connection in the clear
# custom:
#   id: VI-GCP-006
#   severity: medium
#   theme: encryption
#   reference: "Google Cloud: Memorystore in-transit encryption"
#   fix: >-
#     Set transit_encryption_mode = "SERVER_AUTHENTICATION" of Memorystore,
#     https_trigger_security_level = "SECURE_ALWAYS" of functions.
#   settings:
#     google_redis_instance: {mode: transit_encryption_mode}
#     google_redis_cluster: {mode: transit_encryption_mode}
#     google_cloudfunctions_function: {level: https_trigger_security_level, trigger: trigger_http}
package verdict.cloud.google.plain_connections

import data.verdict.cloud.lib

found contains lib.at(input.mode, "the cache takes connections in the clear: keys and data can be read on the way") if {
	lib.is_not(input.mode, "SERVER_AUTHENTICATION")
	lib.is_not(input.mode, "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION")
}

found contains lib.at(input.level, "the function answers by plain HTTP") if {
	lib.is(input.trigger, true)
	lib.is_not(input.level, "SECURE_ALWAYS")
}
