"""What the back end sends and gets of rooms and the people in them, in JSON."""

from typing import Any

from rest_framework import serializers

from fluxer.fields import StrictBooleanField, StrictCharField
from voice.serializers import connection_field


class PinObject(serializers.Serializer):
    """Where a room lives."""

    region_id = serializers.CharField()
    server_id = serializers.CharField()
    endpoint = serializers.CharField()
    pinned_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="null: somebody is in")


class ParticipantQuery(serializers.Serializer):
    """`?region_id=&server_id=`: a server other than the pinned one; both or neither."""

    region_id = StrictCharField(required=False, max_length=64)
    server_id = StrictCharField(required=False, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) == 1:
            missing = ({"region_id", "server_id"} - set(attrs)).pop()
            message = "Name the region and the server, or neither."
            raise serializers.ValidationError({missing: [message]}, code="required")
        return attrs


class TrackObject(serializers.Serializer):
    """A published track."""

    sid = serializers.CharField()
    type = serializers.ChoiceField(["AUDIO", "VIDEO", "DATA"])
    muted = serializers.BooleanField()


class ParticipantObject(serializers.Serializer):
    """Somebody whom LiveKit shows in the room."""

    identity = serializers.CharField()
    state = serializers.ChoiceField(["JOINING", "JOINED", "ACTIVE", "DISCONNECTED"])
    tracks = TrackObject(many=True)
    metadata = serializers.CharField()
    joined_at = serializers.IntegerField(help_text="unix seconds")


class Participants(serializers.Serializer):
    """All of them: never an empty list for an error."""

    status = serializers.ChoiceField(["success"])
    participants = ParticipantObject(many=True)


class ParticipantChange(serializers.Serializer):
    """What the back end says of somebody in voice."""

    mute = StrictBooleanField(required=False)
    deaf = StrictBooleanField(required=False)
    can_speak = StrictBooleanField(required=False)
    can_stream = StrictBooleanField(required=False)
    can_video = StrictBooleanField(required=False)
    connection_id = connection_field()
