using VaeFromScratch.Cli;

return OpenFiles.AreTooFew() ? ExitCode.Failure : CommandLineTool.Run(args);
