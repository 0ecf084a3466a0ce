using VaeFromScratch.Cli;

return CommandLineTool.Run(args);
