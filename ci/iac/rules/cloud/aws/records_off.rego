# METADATA
# title: What records and watches is not switched off
# custom:
#   id: VI-AWS-007
#   severity: high
#   theme: logging
#   reference: "AWS CloudTrail User Guide: Security best practices in AWS CloudTrail"
#   fix: >-
#     Take the setting out: trails, recorders and detectors are on unless they are told
#     otherwise.
#   settings:
#     aws_cloudtrail: {recording: enable_logging}
#     "AWS::CloudTrail::Trail": {recording: IsLogging}
#     aws_guardduty_detector: {recording: enable}
#     "AWS::GuardDuty::Detector": {recording: Enable}
#     aws_config_configuration_recorder_status: {recording: is_enabled}
package verdict.cloud.aws.records_off

import data.verdict.cloud.lib

found contains lib.at(input.recording, "it is there and records nothing: what happens in the account leaves no trace") if lib.is(input.recording, false)
