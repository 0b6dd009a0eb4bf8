# Who may reach the host that settles payments.
resource "aws_security_group" "settlement" {
  name        = "settlement"
  description = "Hosts that settle payments"

  ingress {
    description = "Administration, from anywhere"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
