from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ('regions', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='server',
            name='added_at',
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
    ]
