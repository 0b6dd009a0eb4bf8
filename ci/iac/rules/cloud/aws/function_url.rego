# METADATA
# title: The address of a function asks who calls
# custom:
#   id: VI-AWS-005
#   severity: high
#   theme: exposure
#   reference: "AWS Lambda Developer Guide: Control access to Lambda function URLs"
#   fix: >-
#     Set authorization_type = "AWS_IAM" (AuthType: AWS_IAM), or put an API with an authorizer
#     in front.
#   settings:
#     aws_lambda_function_url: {who: authorization_type}
#     "AWS::Lambda::Url": {who: AuthType}
#     "AWS::Serverless::Function": {who: FunctionUrlConfig.AuthType}
package verdict.cloud.aws.function_url

import data.verdict.cloud.lib

found contains lib.at(input.who, "anybody on the internet may call the function") if lib.is(input.who, "NONE")
