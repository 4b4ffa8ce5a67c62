"""A finished stack: opened, coded with, measured, continued."""
