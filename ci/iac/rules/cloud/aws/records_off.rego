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
#     aws_cloudtrail: {on: enable_logging}
#     "AWS::CloudTrail::Trail": {on: IsLogging}
#     aws_guardduty_detector: {on: enable}
#     "AWS::GuardDuty::Detector": {on: Enable}
#     aws_config_configuration_recorder_status: {on: is_enabled}
package verdict.cloud.aws.records_off

import data.verdict.cloud.lib

found contains lib.at(input.on, "it is there and records nothing: what happens in the account leaves no trace") if lib.is(input.on, false)
