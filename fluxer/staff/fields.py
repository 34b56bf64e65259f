"""Form fields that refuse, in words, what their columns cannot hold."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput


class SoundJSONField(forms.JSONField):
    """JSON of a depth, with numbers and with text, that Python and PostgreSQL take."""

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
            json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            ) from error
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed, as it was typed where it is refused."""
        try:
            self.to_python(data)
        except ValidationError:
            return InvalidJSONInput(data)
        return super().bound_data(data, initial)
