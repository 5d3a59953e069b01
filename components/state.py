"""The property of an artifact that says what it stands for, where its node looks at something outside."""

STATE = "state"
