"""What every participant of the GBA data space shares, and what a member installs."""

__version__ = "0.1.0"
