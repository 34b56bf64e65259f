"""Who has a seat and who is in. The only writers of VoiceState and EndedConnection.

`seats` reserves and renews, `visits` hears what LiveKit tells, `endings` ends and remembers. All
of it happens under the lock of the channel concerned, and none of it speaks to LiveKit.
"""
