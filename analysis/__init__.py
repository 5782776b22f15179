"""From finished runs to tables, figures and verdicts; never imports training code."""
