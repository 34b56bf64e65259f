from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('voice', '0003_samples'),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(help_text='beat, or a queue.', max_length=16, primary_key=True, serialize=False)),
                ('heard_at', models.DateTimeField()),
            ],
        ),
        # From now on they have time to show themselves, and nobody is alarmed before.
        migrations.RunSQL(
            "INSERT INTO voice_heartbeat (name, heard_at)"
            " VALUES ('beat', now()), ('now', now()), ('sweep', now())",
            migrations.RunSQL.noop,
        ),
    ]
