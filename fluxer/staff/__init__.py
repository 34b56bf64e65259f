"""What the pages for staff have in common, whatever they show."""
