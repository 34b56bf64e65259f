from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('voice', '0004_heartbeat'),
    ]

    operations = [
        migrations.AddField(
            model_name='dueroom',
            name='urgent_since',
            field=models.DateTimeField(help_text='Null: one of many, or a second look.', null=True),
        ),
    ]
