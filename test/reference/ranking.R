# Writes test/reference/ranking.sql: areas under the ROC curve with their
# intervals, by the package pROC (Robin and others, BMC Bioinformatics 12, 2011).
#
#   Rscript test/reference/ranking.R > test/reference/ranking.sql
suppressMessages(library(pROC))
set.seed(42)

numbers <- function(v) sprintf("'{%s}'", paste(v, collapse = ","))
one <- function(n, levels, p) {
	hit <- as.integer(runif(n) < p)
	score <- floor(rnorm(n, hit * 0.8) * levels) / levels
	baseline <- floor(rnorm(n, hit * 0.3 + 0.5 * score) * levels) / levels
	a <- roc(hit, score, direction = "<", quiet = TRUE)
	b <- roc(hit, baseline, direction = "<", quiet = TRUE)
	of_a <- ci.auc(a, method = "delong")
	of_b <- ci.auc(b, method = "delong")
	both <- roc.test(a, b, method = "delong", paired = TRUE)
	sprintf("\t(%s, %s, %s,\n\t\t%s)", numbers(score), numbers(baseline), numbers(hit),
		numbers(sprintf("%.15g", c(of_a[2], of_a[1], of_a[3], of_b[2], of_b[1], of_b[3], both$conf.int))))
}
cases <- mapply(one, c(12, 25, 40, 60, 60, 80), c(1, 2, 4, 2, 10, 1), c(.5, .3, .2, .5, .1, .7))
cat("-- Made by ranking.R.\nINSERT INTO ranking_reference (scores, baselines, hits, expected) VALUES\n")
cat(cases, sep = ",\n")
cat(";\n")
