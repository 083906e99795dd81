"""What the company knows and wants of its sales: organisation, products, campaigns, outcomes, tasks."""
