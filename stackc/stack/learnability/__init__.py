"""What tokens offer to a model that learns from them: where they begin, and what an edit moves."""
