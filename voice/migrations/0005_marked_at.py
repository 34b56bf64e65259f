from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ('voice', '0004_heartbeat'),
    ]

    operations = [
        # The version that runs meanwhile does not name it: the database fills it in.
        migrations.AddField(
            model_name='dueroom',
            name='marked_at',
            field=models.DateTimeField(db_default=Now(), help_text='When it was last asked for.'),
        ),
    ]
