# Writes test/reference/experiment.sql: differences of means by R's t.test (Welch),
# as they are and adjusted by a covariate, and differences of shares by prop.test
# without correction.
#
#   Rscript test/reference/experiment.R > test/reference/experiment.sql
set.seed(5)
options(warn = -1)
numbers <- function(v) sprintf("'{%s}'", paste(v, collapse = ","))
digits <- function(v) sprintf("'{%s}'", paste(sprintf("%.17g", v), collapse = ","))
test <- function(a, b, level) {
	t <- t.test(a, b, conf.level = level)
	c(mean(a) - mean(b), t$conf.int, t$p.value)
}
one <- function(treated, held_out, level, spread, lift, correlated) {
	n <- treated + held_out
	g <- c(rep(1, treated), rep(0, held_out))
	x <- round(rexp(n, 1 / 40), 2)
	y <- round(correlated * x + rexp(n, 1 / spread) + lift * g, 2)
	theta <- cov(x, y) / var(x)
	z <- y - theta * (x - mean(x))
	plain <- test(y[g == 1], y[g == 0], level)
	adjusted <- test(z[g == 1], z[g == 0], level)
	reduction <- 1 - (var(z[g == 1]) / treated + var(z[g == 0]) / held_out) / (var(y[g == 1]) / treated + var(y[g == 0]) / held_out)
	sprintf("\t(%s, %s, %s, %s,\n\t\t%s)", numbers(g), numbers(y), numbers(x), level, digits(c(plain, adjusted, reduction)))
}
cases <- mapply(one, c(2, 3, 5, 30, 60, 150, 80), c(2, 8, 4, 30, 15, 40, 80), c(.95, .9, .95, .99, .95, .999, .95), c(5, 20, 3, 30, 10, 50, 20),
	c(0, 10, 30, 0, 5, 20, 40), c(0, 1, .5, .8, 2, 1, -.5))
cat("-- Made by experiment.R.\nINSERT INTO experiment_reference (treated, outcomes, befores, level, expected) VALUES\n")
cat(cases, sep = ",\n")
cat(";\nINSERT INTO proportion_reference (counts, level, expected) VALUES\n")
share <- function(x, n, y, m, level) {
	t <- prop.test(c(x, y), c(n, m), correct = FALSE, conf.level = level)
	sprintf("\t(%s, %s, %s)", numbers(format(c(x, n, y, m), scientific = FALSE, trim = TRUE)), level, digits(c(x / n - y / m, t$conf.int, t$p.value)))
}
cat(mapply(share, c(30, 0, 5, 123456, 480, 9), c(100, 20, 10, 1000000, 500, 1000), c(20, 5, 5, 12300, 500, 50), c(110, 30, 10, 100000, 520, 1000),
	c(.95, .95, .9, .99, .95, .999)), sep = ",\n")
cat(";\n")
